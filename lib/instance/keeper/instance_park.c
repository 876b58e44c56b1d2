/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>

static void begin(BerthInstance *instance);

/* Log why the guest is not parked, and answer the clients that asked for it. */
static void give_up(BerthInstance *instance, const GError *error)
{
    Park *park = &instance->park;
    park->wanted = false;
    berth_server_parked(instance->server, error);
    berth_instance_leave_failed(instance);
    if (berth_error_is(error, BERTH_ERROR_CANCELLED))
        return;
    g_free(park->problem);
    park->problem = g_strdup(error->message);
    berth_console_log(instance->console, "%s cannot be parked and stays in memory: %s",
                      instance->machine->name, error->message);
}

/* --- saving ----------------------------------------------------------------------------------- */

/* The memory is in the file now, and is given back. */
static void complete(BerthInstance *instance, guint64 size)
{
    Park *park = &instance->park;
    park->phase = PARKED;
    park->wanted = false;
    g_clear_pointer(&park->problem, g_free);
    berth_fd_close(&instance->life.ends.memory);
    instance->life.ends.is_sealed = false;
    g_clear_pointer(&instance->suspension.state, g_bytes_unref);
    g_autofree char *text = g_format_size_full(size, G_FORMAT_SIZE_IEC_UNITS);
    berth_console_log(instance->console, "%s is parked: %s beside its disk",
                      instance->machine->name, text);
    berth_server_parked(instance->server, NULL);
    berth_instance_leave_parked(instance);
}

static void on_saved(BerthParkJob *job, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    Park *park = &instance->park;
    guint64 size = berth_park_job_size(job);
    bool cancelled = park->phase != PARKING;
    g_clear_pointer(&park->job, berth_park_job_free);
    if (cancelled) { /* it has been awake in between, and may be wanted to be parked again */
        if (park->wanted && instance->state == SUSPENDED)
            begin(instance);
        return;
    }
    park->phase = NOT_PARKED;
    if (error == NULL) {
        complete(instance, size);
        return;
    }
    g_autoptr(GError) failure = g_error_copy(error);
    g_prefix_error(&failure, "it is suspended, but its memory cannot be parked: ");
    give_up(instance, failure);
}

static void begin(BerthInstance *instance)
{
    Park *park = &instance->park;
    BerthParked parked = {
        .with_memory = instance->suspension.with_memory,
        .state = g_bytes_ref(instance->suspension.state),
        .life = berth_instance_life_record(instance),
        .machine = berth_machine_size(instance->machine),
    };
    park->phase = PARKING;
    park->job = berth_park_job_save(instance->machine, instance->life.ends.memory, &parked,
                                    on_saved, instance);
}

/* A clone that lives as long as a process is of no use after it. */
static const char *refusal(const BerthInstance *instance)
{
    if (instance->machine->owner != NULL)
        return "it lasts only as long as the command that it was made for";
    return instance->machine->rescue ? "it is in rescue mode" : NULL;
}

void berth_instance_park(gpointer user_data)
{
    BerthInstance *instance = user_data;
    Park *park = &instance->park;
    const char *reason = refusal(instance);
    if (reason != NULL) {
        g_autoptr(GError) error = NULL;
        berth_error_set(&error, BERTH_ERROR_DENIED, "park.refused", NULL, "it is not parked: %s",
                        reason);
        berth_server_parked(instance->server, error);
        return;
    }
    if (park->phase == PARKED && instance->state == SUSPENDED) {
        berth_server_parked(instance->server, NULL);
        berth_instance_leave_parked(instance);
        return;
    }
    park->wanted = true;
    if (instance->state != SUSPENDED)
        berth_instance_suspend(instance); /* continues in berth_instance_suspend_ended */
    else if (park->job == NULL)
        begin(instance);
}

static bool is_parked_unasked(const BerthInstance *instance)
{
    return instance->machine->park_after_sec != 0 && refusal(instance) == NULL;
}

/* After a failure it is tried again. */
static gboolean on_timer(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->park.phase == NOT_PARKED)
        berth_instance_park(instance);
    return G_SOURCE_CONTINUE;
}

void berth_instance_park_under_pressure(BerthInstance *instance)
{
    const Park *park = &instance->park;
    if (instance->state == SUSPENDED && park->phase == NOT_PARKED && park->problem == NULL &&
        is_parked_unasked(instance))
        berth_instance_park(instance);
}

static void begin_timer(BerthInstance *instance)
{
    guint seconds = instance->machine->park_after_sec;
    berth_instance_clear_timer(&instance->park.timer);
    if (!is_parked_unasked(instance))
        return;
    instance->park.timer = g_timeout_source_new_seconds(seconds);
    g_source_set_callback(instance->park.timer, on_timer, instance, NULL);
    g_source_attach(instance->park.timer, g_main_context_get_thread_default());
}

void berth_instance_suspend_ended(BerthInstance *instance, const GError *error)
{
    Park *park = &instance->park;
    berth_server_suspended(instance->server, error);
    if (error != NULL && park->wanted)
        give_up(instance, error);
    if (error != NULL || park->phase != NOT_PARKED)
        return;
    begin_timer(instance);
    if (park->wanted && park->job == NULL)
        begin(instance);
}

/* --- loading ---------------------------------------------------------------------------------- */

/* The state and what the memory file has now are those of the parked guest. */
static void on_loaded(BerthParkJob *job, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    Suspension *suspension = &instance->suspension;
    const BerthParked *parked = berth_park_job_parked(job);
    if (error == NULL && parked->state != NULL) {
        suspension->state = g_bytes_ref(parked->state);
        suspension->with_memory = parked->with_memory;
        if (instance->takeover.active && parked->life != NULL)
            berth_instance_restore_life(instance, parked->life);
    }
    g_autoptr(GError) failure = error != NULL ? g_error_copy(error) : NULL;
    g_clear_pointer(&instance->park.job, berth_park_job_free);
    if (instance->state == WAKING)
        berth_instance_memory_loaded(instance, failure);
}

/* A new file for the memory; -1 with @error. */
static int make_memory(GError **error)
{
    int memory = berth_guest_ends_memory();
    if (memory < 0)
        berth_error_set_errno(error, errno, "park.read", "the guest's memory");
    return memory;
}

/* False with @error: there is no file for the memory. */
static bool begin_load(BerthInstance *instance, GError **error)
{
    BerthGuestEnds *ends = &instance->life.ends;
    berth_fd_close(&ends->memory);
    ends->is_private = instance->lent_fd >= 0;
    ends->memory = ends->is_private ? berth_fd_steal(&instance->lent_fd) : make_memory(error);
    if (ends->memory < 0)
        return false;
    instance->park.phase = LOADING;
    instance->park.job = berth_park_job_load(instance->machine, ends->memory, on_loaded, instance);
    return true;
}

/* The memory is lent to clones: the guest goes on with a copy. */
static bool begin_copy(BerthInstance *instance, GError **error)
{
    BerthGuestEnds *ends = &instance->life.ends;
    berth_autofd int lent = berth_fd_steal(&ends->memory);
    ends->memory = make_memory(error);
    if (ends->memory < 0)
        return false;
    ends->is_sealed = false;
    instance->park.phase = LOADING;
    instance->park.job =
        berth_park_job_copy(instance->machine, lent, ends->memory, on_loaded, instance);
    return true;
}

bool berth_instance_unpark(BerthInstance *instance, bool *ret_is_loading, GError **error)
{
    Park *park = &instance->park;
    g_autoptr(GError) woken = NULL;
    berth_error_set(&woken, BERTH_ERROR_CANCELLED, "park.woken", "try again", "it is needed");
    berth_instance_clear_timer(&park->timer);
    *ret_is_loading = false;
    if (park->phase == PARKED) {
        *ret_is_loading = true;
        return begin_load(instance, error);
    }
    if (park->phase == PARKING) {
        if (!berth_park_job_cancel(park->job)) /* its file is about to appear */
            g_clear_pointer(&park->job, berth_park_job_free);
        park->phase = NOT_PARKED;
        give_up(instance, woken);
    }
    *ret_is_loading = instance->life.ends.is_sealed;
    return !*ret_is_loading || begin_copy(instance, error);
}

bool berth_instance_park_forget(BerthInstance *instance, GError **error)
{
    instance->park.phase = NOT_PARKED;
    if (berth_park_remove(instance->machine->disk))
        return true;
    berth_error_set_errno(error, errno, "park.remove", "%s.parked", instance->machine->disk);
    return false;
}

void berth_instance_park_end(BerthInstance *instance)
{
    Park *park = &instance->park;
    bool is_left = instance->is_leaving && park->phase == PARKED;
    bool is_there = park->phase != NOT_PARKED && !is_left;
    berth_instance_clear_timer(&park->timer);
    g_clear_pointer(&park->job, berth_park_job_free);
    g_clear_pointer(&park->problem, g_free);
    if (is_there)
        berth_instance_park_forget(instance, NULL);
}

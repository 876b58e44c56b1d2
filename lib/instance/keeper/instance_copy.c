/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/error.h"

/* The memory could not be saved because of @error, or only its file could not. */
static void fail(BerthInstance *instance, const GError *error)
{
    MemoryCopy *copy = &instance->copy;
    g_autoptr(GError) failure = g_error_copy(error);
    g_prefix_error(&failure, "its memory could not be saved: ");
    if (copy->captures) {
        berth_instance_clear_copy(instance);
        berth_server_saved(instance->server, BERTH_SAVED_BESIDE, -1, failure);
        berth_instance_release(instance); /* if the client has gone meanwhile */
        return;
    }
    copy->finished = true;
    copy->failure = g_error_copy(failure);
    berth_server_written(instance->server, failure);
}

static void on_captured(BerthCopyJob *job, gpointer user_data)
{
    BerthInstance *instance = user_data;
    instance->copy.captures = false;
    berth_server_saved(instance->server, BERTH_SAVED_BESIDE, -1, NULL);
    berth_instance_release(instance);
}

static void on_done(BerthCopyJob *job, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    MemoryCopy *copy = &instance->copy;
    g_clear_pointer(&copy->job, berth_copy_job_free);
    if (error != NULL) {
        fail(instance, error);
        return;
    }
    copy->finished = true;
    copy->is_theirs = berth_server_written(instance->server, NULL);
}

static void begin_job(BerthInstance *instance, GBytes *state, bool with_memory, bool capture)
{
    static const BerthCopyJobEvents events = {on_captured, on_done};
    MemoryCopy *copy = &instance->copy;
    BerthParked parked = {
        .with_memory = with_memory,
        .state = g_bytes_ref(state),
        .life = berth_instance_life_record(instance),
        .machine = berth_machine_size(instance->machine),
        .unsynced = copy->unsynced,
        .is_elsewhere = copy->is_lent,
    };
    copy->is_live = !capture;
    g_autoptr(BerthMirror) mirror = berth_instance_steal_mirror(instance);
    copy->job =
        berth_copy_job_new(instance->machine, copy->disk, instance->life.ends.memory, &parked,
                           capture, capture ? g_steal_pointer(&mirror) : NULL, &events, instance);
}

static void on_state(GBytes *state, bool with_memory, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->copy.abandoned) {
        berth_instance_clear_copy(instance);
        berth_instance_release(instance);
        return;
    }
    if (error != NULL)
        fail(instance, error);
    else
        begin_job(instance, state, with_memory, true);
}

/* The guest stands still in its QEMU, which gives the state of its devices and goes on later. */
static void capture(BerthInstance *instance)
{
    Suspension *suspension = &instance->suspension;
    instance->copy.captures = true;
    berth_device_state_free(suspension->operation);
    suspension->operation = berth_device_state_save(instance->process.qmp, on_state, instance);
}

static const char *refusal(const BerthInstance *instance)
{
    if (instance->machine->rescue)
        return "it is in rescue mode";
    if (instance->life.ends.is_private)
        return "a part of it belongs to the distro that it is a clone of";
    return instance->copy.disk != NULL ? "another command saves it" : NULL;
}

/* The memory of a suspended guest is sealed for clones, which map it. False: it cannot be. */
static bool lend(BerthInstance *instance)
{
    return instance->state == SUSPENDED && !instance->suspension.with_memory &&
           berth_guest_ends_seal(&instance->life.ends);
}

void berth_instance_save_memory(const char *disk, guint8 flags, gpointer user_data)
{
    BerthInstance *instance = user_data;
    MemoryCopy *copy = &instance->copy;
    const char *reason = refusal(instance);
    g_autoptr(GError) error = NULL;
    if (reason != NULL)
        berth_error_set(&error, BERTH_ERROR_BUSY, "save.refused", NULL,
                        "its memory cannot be saved: %s", reason);
    else if (!berth_instance_is_held(instance) && instance->state != SUSPENDED)
        berth_error_set(&error, BERTH_ERROR_GUEST, "hold.lost", "try again",
                        "it was not held until now");
    if (error != NULL) {
        berth_server_saved(instance->server, BERTH_SAVED_BESIDE, -1, error);
        return;
    }
    if (instance->state == SUSPENDED && instance->park.phase == PARKED) {
        berth_server_saved(instance->server, BERTH_SAVED_PARKED, -1,
                           NULL); /* there is a file already */
        return;
    }
    *copy = (MemoryCopy){
        .disk = g_strdup(disk),
        .unsynced = (flags & BERTH_SAVE_UNSYNCED) != 0,
        .is_lent = (flags & BERTH_SAVE_LEND) != 0 && lend(instance),
    };
    if (instance->state != SUSPENDED) {
        capture(instance);
        return;
    }
    begin_job(instance, instance->suspension.state, instance->suspension.with_memory, false);
    berth_server_saved(instance->server, copy->is_lent ? BERTH_SAVED_LENT : BERTH_SAVED_BESIDE,
                       copy->is_lent ? instance->life.ends.memory : -1, NULL);
}

void berth_instance_await_memory(gpointer user_data)
{
    BerthInstance *instance = user_data;
    MemoryCopy *copy = &instance->copy;
    g_autoptr(GError) error = NULL;
    if (copy->disk == NULL)
        berth_error_set(&error, BERTH_ERROR_INVALID, "save.none", NULL, "nothing was saved");
    if (error != NULL || copy->failure != NULL)
        berth_server_written(instance->server, error != NULL ? error : copy->failure);
    else if (copy->finished)
        copy->is_theirs = berth_server_written(instance->server, NULL);
}

/* Remove a file that no client knows of: the program that cleaned up after its client may have done
 * so before the file appeared. */
void berth_instance_clear_copy(BerthInstance *instance)
{
    MemoryCopy *copy = &instance->copy;
    berth_copy_job_free(copy->job);
    if (copy->disk != NULL && !copy->is_theirs)
        berth_park_remove(copy->disk);
    g_free(copy->disk);
    g_clear_error(&copy->failure);
    *copy = (MemoryCopy){0};
}

void berth_instance_interrupt_copy(BerthInstance *instance)
{
    MemoryCopy *copy = &instance->copy;
    g_autoptr(GError) error = NULL;
    if (copy->job == NULL || !copy->is_live)
        return;
    g_clear_pointer(&copy->job, berth_copy_job_free);
    berth_error_set(&error, BERTH_ERROR_CANCELLED, "park.cancelled", NULL, "it was released");
    fail(instance, error);
}

/* QEMU cannot go on before it has given the state: then on_state ends the copy. */
void berth_instance_forget_memory(gpointer user_data)
{
    BerthInstance *instance = user_data;
    MemoryCopy *copy = &instance->copy;
    if (copy->captures && copy->job == NULL && instance->process.qmp != NULL)
        copy->abandoned = true;
    else
        berth_instance_clear_copy(instance);
}

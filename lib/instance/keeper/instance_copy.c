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

static void begin_job(BerthInstance *instance, GBytes *state, bool with_memory, int memory)
{
    MemoryCopy *copy = &instance->copy;
    BerthParked parked = {
        .with_memory = with_memory,
        .state = g_bytes_ref(state),
        .life = berth_instance_life_record(instance),
        .machine = berth_machine_size(instance->machine),
        .unsynced = copy->unsynced,
        .is_elsewhere = copy->is_lent,
    };
    copy->job =
        berth_copy_job_new(instance->machine, copy->disk, memory, &parked, on_done, instance);
}

/* The guest may go on once there are its devices' state and its memory, which is part of the state
 * where QEMU cannot leave it out. */
static void settle_capture(BerthInstance *instance)
{
    MemoryCopy *copy = &instance->copy;
    if (copy->state == NULL || !berth_mirror_job_is_finished(copy->mirroring))
        return;
    g_autoptr(GError) failure = g_steal_pointer(&copy->failure);
    if (failure != NULL && !copy->with_memory) {
        fail(instance, failure);
        return;
    }
    g_autoptr(BerthMirror) mirror = berth_mirror_job_steal(copy->mirroring);
    begin_job(instance, copy->state, copy->with_memory,
              copy->with_memory ? instance->life.ends.memory : berth_mirror_copy(mirror));
    g_clear_pointer(&copy->mirroring, berth_mirror_job_free);
    g_clear_pointer(&copy->state, g_bytes_unref);
    copy->captures = false;
    berth_server_saved(instance->server, BERTH_SAVED_BESIDE, -1, NULL);
    berth_instance_release(instance);
}

static void on_mirrored(BerthMirrorJob *job, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    instance->copy.failure = error != NULL ? g_error_copy(error) : NULL;
    settle_capture(instance);
}

static void on_state(GBytes *state, bool with_memory, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    MemoryCopy *copy = &instance->copy;
    if (copy->abandoned) {
        berth_instance_clear_copy(instance);
        berth_instance_release(instance);
        return;
    }
    if (error != NULL) {
        fail(instance, error);
        return;
    }
    copy->state = g_bytes_ref(state);
    copy->with_memory = with_memory;
    settle_capture(instance);
}

/* The guest stands still in its QEMU, which gives the state of its devices and goes on later. QEMU
 * does not write the memory for that: its own migration sends the memory first. */
static void capture(BerthInstance *instance)
{
    Suspension *suspension = &instance->suspension;
    MemoryCopy *copy = &instance->copy;
    copy->captures = true;
    berth_device_state_free(suspension->operation);
    suspension->operation = berth_device_state_save(instance->process.qmp, on_state, instance);
    g_autoptr(BerthMirror) mirror = berth_instance_steal_mirror(instance);
    copy->mirroring = berth_mirror_job_finish(instance->life.ends.memory, g_steal_pointer(&mirror),
                                              on_mirrored, instance);
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
    berth_instance_unprepare(instance); /* its memory is where it is */
    copy->is_live = true;
    begin_job(instance, instance->suspension.state, instance->suspension.with_memory,
              instance->life.ends.memory);
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
    berth_mirror_job_free(copy->mirroring);
    g_clear_pointer(&copy->state, g_bytes_unref);
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
    if (copy->captures && copy->state == NULL && instance->process.qmp != NULL)
        copy->abandoned = true;
    else
        berth_instance_clear_copy(instance);
}

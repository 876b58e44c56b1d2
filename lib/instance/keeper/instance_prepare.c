/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

static void on_mirrored(BerthMirrorJob *job, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_autoptr(GError) failure = error != NULL ? g_error_copy(error) : NULL;
    if (failure != NULL) {
        g_prefix_error(&failure, "its memory could not be saved: ");
        berth_instance_unprepare(instance);
    }
    berth_server_prepared(instance->server, failure);
}

/* Only the memory of a guest that runs is copied ahead. For a guest in another state the answer is
 * immediate: CONTROL_SAVE copies its memory from where it is, or refuses. */
void berth_instance_prepare(gpointer user_data)
{
    BerthInstance *instance = user_data;
    bool useful = instance->state == UP && !instance->machine->rescue &&
                  instance->copy.disk == NULL && instance->life.ends.memory >= 0;
    if (instance->mirroring == NULL && useful)
        instance->mirroring =
            berth_mirror_job_new(instance->life.ends.memory, on_mirrored, instance);
    if (instance->mirroring == NULL || berth_mirror_job_is_finished(instance->mirroring))
        berth_server_prepared(instance->server, NULL);
}

void berth_instance_unprepare(gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_clear_pointer(&instance->mirroring, berth_mirror_job_free);
}

BerthMirror *berth_instance_steal_mirror(BerthInstance *instance)
{
    BerthMirrorJob *job = instance->mirroring;
    g_autoptr(BerthMirror) mirror = job != NULL ? berth_mirror_job_steal(job) : NULL;
    berth_instance_unprepare(instance);
    if (mirror == NULL || !berth_mirror_is_of(mirror, instance->life.ends.memory))
        return NULL;
    return g_steal_pointer(&mirror);
}

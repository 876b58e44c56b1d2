/* SPDX-License-Identifier: MIT */
#include "stop.h"

#include "reach.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/runtime.h"
#include "manage/compose.h"
#include "park/park_file.h"

#include <errno.h>

/* Time for QEMU and the keeper to end, beyond the grace period. */
#define STOP_MARGIN_SEC 10

/* The time limit of a power-off. Unreadable settings must not prevent a stop. */
static int find_grace(const BerthJob *job, const BerthStopOptions *stop)
{
    if (stop->grace_sec >= 0)
        return stop->grace_sec;
    g_autoptr(BerthSettings) settings = berth_compose_settings(
        job->berth->layout, job->distro->name, berth_handle_environment(job->berth), NULL);
    if (settings == NULL)
        settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    return (int)settings->stop_timeout_sec;
}

static bool stop_connected(const BerthJob *job, int fd, guint grace, GError **error)
{
    const BerthStopOptions *stop = job->data;
    berth_reach_limit_waiting(fd, (stop->force ? 0 : grace) + STOP_MARGIN_SEC);
    return berth_request_stop(fd, stop->force ? BERTH_STOP_FORCE : BERTH_STOP_ORDERLY, grace,
                              &job->berth->waiting, error);
}

/* Remove the memory of a parked distro that has no keeper, unless one begins. Its file systems were
 * frozen, so its next start is that after a power cut. */
static void drop_parked(BerthJob *job, GError **error)
{
    const BerthDistro *distro = job->distro;
    if (!berth_park_exists(distro->disk))
        return;
    berth_autofd int disk = berth_hold_open(distro, BERTH_HOLD_START, "instance.park", error);
    if (disk < 0)
        return;
    if (berth_park_remove(distro->disk))
        job->result = (gpointer)distro;
    else
        berth_error_set_errno(error, errno, "park.remove", "%s.parked", distro->disk);
}

/* Sets the job's result if the distro was running; to the distro if it was parked without a keeper.
 */
static gpointer stop_one(gpointer data)
{
    BerthJob *job = data;
    const BerthStopOptions *stop = job->data;
    g_autoptr(GError) problem = NULL;
    int grace = find_grace(job, stop);
    berth_autofd int fd = berth_reach_connect(job->berth, job->distro, &problem);
    g_autoptr(BerthDiskUser) keeper = berth_reach_keeper(job->distro);
    job->result = fd >= 0 || keeper != NULL ? job : NULL;
    if (fd >= 0 && stop_connected(job, fd, (guint)grace, &problem)) {
        berth_reach_wait_end(keeper);
        return NULL;
    }

    /* It cannot be asked to stop: its directory was removed, it is ending, or its version
     * differs. */
    int patience = stop->force ? 0 : grace + STOP_MARGIN_SEC;
    /* The keeper died during the request, or no longer answers: use force. */
    bool gone = fd >= 0 && berth_runtime_is_gone(problem);
    if (fd < 0 || gone || berth_error_is(problem, BERTH_ERROR_PROTOCOL)) {
        g_clear_error(&problem);
        berth_reach_end(job->berth, job->distro, gone ? 0 : patience, &problem);
    }
    if (problem == NULL && job->result == NULL)
        drop_parked(job, &problem);
    job->error = g_steal_pointer(&problem);
    return NULL;
}

bool berth_stop_distros(Berth *berth, const char *const *names, const BerthStopOptions *stop,
                        GError **error)
{
    g_autoptr(GPtrArray) distros = berth_handle_runtime(berth, error) != NULL
                                       ? berth_reach_find_stoppable(berth, names, error)
                                       : NULL;
    if (distros == NULL)
        return false;

    g_autoptr(GPtrArray) jobs = berth_handle_for_each(berth, distros, stop_one, stop);
    for (guint i = 0; i < jobs->len; i++) {
        const BerthJob *job = jobs->pdata[i];
        if (job->error != NULL)
            continue;
        if (job->result == NULL && stop->not_running != NULL)
            stop->not_running(job->distro->name, stop->user_data);
        else if (job->result != NULL && job->result == job->distro && stop->was_parked != NULL)
            stop->was_parked(job->distro->name, stop->user_data);
    }
    return berth_handle_all_succeeded(jobs, error);
}

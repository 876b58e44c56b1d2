/* SPDX-License-Identifier: MIT */
#include "stop.h"

#include "reach.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/runtime.h"
#include "manage/compose.h"

/* On top of a stop's grace, for QEMU and the keeper to go. */
#define STOP_MARGIN_SEC 10

/* How long a machine may take to power off. Settings that cannot be read are no reason to let it
 * run. */
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
    return berth_control_stop(fd, stop->force ? BERTH_STOP_FORCE : BERTH_STOP_ORDERLY, grace,
                              &job->berth->waiting, error);
}

static gpointer stop_one(gpointer data)
{
    BerthJob *job = data;
    const BerthStopOptions *stop = job->data;
    g_autoptr(GError) problem = NULL;
    int grace = find_grace(job, stop);
    berth_autofd int fd = berth_reach_connect(job->berth, job->distro, &problem);
    if (fd >= 0 && stop_connected(job, fd, (guint)grace, &problem)) {
        berth_reach_wait_for_leaver(job->distro);
        return NULL;
    }

    /* It cannot be asked: its directory was removed, it is on its way out, or it answers in words
     * of another version. */
    int patience = stop->force ? 0 : grace + STOP_MARGIN_SEC;
    /* It died under the request, or does not answer any more: then by force. */
    bool gone = fd >= 0 && berth_runtime_is_gone(problem);
    if (fd < 0 || gone || berth_error_is(problem, BERTH_ERROR_PROTOCOL)) {
        g_clear_error(&problem);
        berth_reach_end(job->berth, job->distro, gone ? 0 : patience, &problem);
    }
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
        BerthJob *job = jobs->pdata[i];
        if (job->error == NULL)
            continue;
        if (distros->len > 1)
            g_prefix_error(&job->error, "%s: ", job->distro->name);
        g_propagate_error(error, g_steal_pointer(&job->error));
        return false;
    }
    return true;
}

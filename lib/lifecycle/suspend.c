/* SPDX-License-Identifier: MIT */
#include "suspend.h"

#include "reach.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/runtime.h"
#include "instance/control/hello.h"
#include "park/park_file.h"

/* The keeper answers sooner, however slow the guest is. */
#define ANSWER_SEC      90
#define PARK_ANSWER_SEC 3600 /* a slow disk, and much memory */

/* Sets the job's result if the distro was running. */
static gpointer suspend_one(gpointer data)
{
    BerthJob *job = data;
    const BerthSuspendOptions *options = job->data;
    const BerthWaiting *waiting = &job->berth->waiting;
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = berth_reach_connect(job->berth, job->distro, &problem);
    if (fd >= 0) {
        berth_reach_limit_waiting(fd, options->park ? PARK_ANSWER_SEC : ANSWER_SEC);
        if (options->park)
            berth_request_park(fd, waiting, &problem);
        else
            berth_request_suspend(fd, waiting, &problem);
    }
    if (problem != NULL && berth_runtime_is_gone(problem)) {
        job->result = berth_park_exists(job->distro->disk) ? job : NULL;
        return NULL;
    }
    job->result = job;
    berth_hello_name_distro(&problem, job->distro->name);
    job->error = g_steal_pointer(&problem);
    return NULL;
}

bool berth_suspend_distros(Berth *berth, const char *const *names,
                           const BerthSuspendOptions *options, GError **error)
{
    g_autoptr(GPtrArray) distros = berth_handle_runtime(berth, error) != NULL
                                       ? berth_handle_find_all(berth, names, error)
                                       : NULL;
    if (distros == NULL)
        return false;

    g_autoptr(GPtrArray) jobs = berth_handle_for_each(berth, distros, suspend_one, options);
    for (guint i = 0; i < jobs->len; i++) {
        const BerthJob *job = jobs->pdata[i];
        if (job->result == NULL && options->not_running != NULL)
            options->not_running(job->distro->name, options->user_data);
    }
    return berth_handle_all_succeeded(jobs, error);
}

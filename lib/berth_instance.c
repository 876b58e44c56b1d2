/* SPDX-License-Identifier: MIT
 *
 * The public functions about the start and the stop of distros, over lib/lifecycle.
 */
#include "berth_instance.h"

#include "instance/control/runtime_files.h"
#include "lifecycle/docker.h"
#include "lifecycle/handle.h"
#include "lifecycle/start.h"
#include "lifecycle/stop.h"
#include "lifecycle/suspend.h"

void berth_stage_free(BerthStage *stage)
{
    if (stage == NULL)
        return;
    g_free(stage->name);
    g_free(stage->problem);
    g_free(stage);
}

int berth_connect(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    const BerthStartOptions plain = {0};
    return berth_start_connect(berth, name, &plain, ret_notice, error);
}

int berth_connect_with(Berth *berth, const char *name, const BerthStart *start, char **ret_notice,
                       GError **error)
{
    const BerthStartOptions options = {
        .rescue = start->rescue, .isolated = start->isolated, .early = start->early};
    return berth_start_connect(berth, name, &options, ret_notice, error);
}

GPtrArray *berth_stages(int connection, GError **error)
{
    g_autoptr(BerthBootReport) report = berth_request_boot(connection, error);
    if (report == NULL)
        return NULL;
    GPtrArray *stages = g_ptr_array_new_with_free_func((GDestroyNotify)berth_stage_free);
    gint64 before_usec = 0;
    for (guint i = 0; i < report->stages->len; i++) {
        BerthBootStage *from = report->stages->pdata[i];
        BerthStage *stage = g_new0(BerthStage, 1);
        stage->name = g_steal_pointer(&from->name);
        stage->problem = g_steal_pointer(&from->problem);
        stage->end_usec = from->end_usec;
        stage->took_usec = MAX(from->end_usec - before_usec, 0);
        before_usec = from->end_usec;
        g_ptr_array_add(stages, stage);
    }
    return stages;
}

void berth_start_failed(Berth *berth, const GError *problem)
{
    berth_start_forget(berth, problem);
}

char *berth_command_line(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    return berth_start_command_line(berth, name, ret_notice, error);
}

bool berth_stop(Berth *berth, const char *const *names, const BerthStop *stop, GError **error)
{
    const BerthStopOptions options = {.force = stop->force,
                                      .grace_sec = stop->grace_sec,
                                      .not_running = stop->not_running,
                                      .was_parked = stop->was_parked,
                                      .user_data = stop->user_data};
    return berth_stop_distros(berth, names, &options, error);
}

bool berth_suspend(Berth *berth, const char *const *names, const BerthSuspend *suspend,
                   GError **error)
{
    const BerthSuspendOptions options = {.not_running = suspend->not_running,
                                         .user_data = suspend->user_data};
    return berth_suspend_distros(berth, names, &options, error);
}

bool berth_park(Berth *berth, const char *const *names, const BerthSuspend *suspend, GError **error)
{
    const BerthSuspendOptions options = {
        .park = true, .not_running = suspend->not_running, .user_data = suspend->user_data};
    return berth_suspend_distros(berth, names, &options, error);
}

char *berth_log_path(Berth *berth, const char *name, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    return distro != NULL ? berth_layout_log(berth->layout, distro->id) : NULL;
}

char *berth_keeper_log_path(Berth *berth, const char *name, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    const char *runtime = distro != NULL ? berth_handle_runtime(berth, error) : NULL;
    return runtime != NULL ? g_build_filename(runtime, distro->id, BERTH_RUNTIME_LOG, NULL) : NULL;
}

char *berth_docker_socket(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    return berth_docker_path(berth, name, ret_notice, error);
}

/* SPDX-License-Identifier: MIT */
#include "idle.h"

#include "list.h"
#include "reach.h"
#include "start.h"

#include "base/fd.h"
#include "instance/client/runtime.h"
#include "instance/control/hello.h"
#include "model/checkpoint.h"

void berth_idle_report_clear(BerthIdleReport *report)
{
    g_free(report->name);
    g_free(report->state);
    g_free(report->idle);
    g_free(report->awake);
    g_free(report->due_name);
    g_free(report->problem);
    g_free(report->checkpoint);
    g_free(report->checkpoint_problem);
}

/* NULL: there is nothing to say. */
static char *steal_words(char **words)
{
    return **words != '\0' ? g_steal_pointer(words) : NULL;
}

static void use_status(BerthIdleReport *report, BerthInstanceStatus *status)
{
    report->state = g_steal_pointer(&status->state);
    report->idle = g_steal_pointer(&status->idle);
    report->idle_timeout_sec = status->idle_timeout_sec;
    report->use = status->use;
    report->awake = steal_words(&status->awake);
    report->idle_usec = status->idle_usec;
    report->kept_usec = status->kept_usec;
    report->problem = steal_words(&status->idle_problem);
    report->due_usec = (gint64)status->due_usec;
    report->due_name = steal_words(&status->due_name);
    report->checkpoint = steal_words(&status->checkpoint);
    report->checkpoint_problem = steal_words(&status->checkpoint_problem);
}

/* What the next start will take. */
static bool use_settings(BerthIdleReport *report, Berth *berth, GError **error)
{
    g_autoptr(BerthSettings) settings = berth_handle_settings(berth, report->name, error);
    if (settings == NULL)
        return false;
    report->idle = g_strdup(berth_idle_words[settings->idle]);
    report->idle_timeout_sec = settings->idle_timeout_sec;
    report->idle_usec = BERTH_NOT_FORESEEN;
    BerthCheckpointPlan plan;
    if (berth_checkpoint_parse(settings->checkpoint, &plan, NULL) && plan.every_sec != 0)
        report->checkpoint = g_strdup(settings->checkpoint);
    return true;
}

static bool find_checkpoint(BerthIdleReport *report, Berth *berth, const BerthDistro *distro,
                            GError **error)
{
    g_autoptr(GPtrArray) snapshots = berth_registry_snapshots(berth->registry, distro, error);
    for (guint i = 0; snapshots != NULL && i < snapshots->len; i++)
        if (berth_snapshot_is_checkpoint(snapshots->pdata[i]))
            report->checkpoint_usec = ((const BerthSnapshot *)snapshots->pdata[i])->taken_usec;
    return snapshots != NULL;
}

static BerthInstanceStatus *ask_keeper(Berth *berth, const BerthDistro *distro, GError **error)
{
    berth_autofd int fd = berth_reach_connect(berth, distro, error);
    if (fd < 0)
        return NULL;
    berth_reach_limit_waiting(fd, BERTH_REACH_ANSWER_SEC);
    return berth_request_status(fd, error);
}

bool berth_idle_ask(Berth *berth, const char *name, BerthIdleReport *ret_report, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    if (distro == NULL || berth_handle_runtime(berth, error) == NULL ||
        !find_checkpoint(ret_report, berth, distro, error))
        return false;
    ret_report->name = g_strdup(distro->name);
    berth_disk_measure(distro, &ret_report->disk_size, &ret_report->disk_used);
    for (guint i = 0; i < BERTH_REACH_LOOKS_MAX && ret_report->state == NULL; i++) {
        g_autoptr(GError) problem = NULL;
        g_autoptr(BerthInstanceStatus) status = ask_keeper(berth, distro, &problem);
        if (status != NULL) {
            use_status(ret_report, status);
            return true;
        }
        if (berth_hello_is_mismatch(problem)) {
            berth_hello_name_distro(&problem, distro->name);
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
        ret_report->state =
            g_strdup(berth_runtime_is_gone(problem) ? berth_reach_state_left(berth, distro)
                                                    : "unresponsive");
    }
    if (ret_report->state == NULL) /* a killed keeper has left its files */
        ret_report->state = g_strdup("stopped");
    return use_settings(ret_report, berth, error);
}

static bool end_keep(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    if (distro == NULL || berth_handle_runtime(berth, error) == NULL)
        return false;
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = berth_reach_connect(berth, distro, &problem);
    if (fd >= 0) {
        berth_reach_limit_waiting(fd, BERTH_REACH_ANSWER_SEC);
        berth_request_keep(fd, 0, &problem);
    }
    if (problem == NULL)
        return true;
    if (berth_runtime_is_gone(problem)) {
        *ret_notice = g_strdup_printf("%s was not running", distro->name);
        return true;
    }
    berth_hello_name_distro(&problem, distro->name);
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

bool berth_idle_keep_distro(Berth *berth, const char *name, guint32 seconds, char **ret_notice,
                            GError **error)
{
    *ret_notice = NULL;
    if (seconds == 0)
        return end_keep(berth, name, ret_notice, error);
    const BerthStartOptions how = {0};
    berth_autofd int fd = berth_start_connect(berth, name, &how, ret_notice, error);
    return fd >= 0 && berth_request_keep(fd, seconds, error);
}

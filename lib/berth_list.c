/* SPDX-License-Identifier: MIT
 *
 * The part of the facade that looks: the distros and what they do.
 */
#include "berth_private.h"

#include "base/fd.h"
#include "instance/client/runtime.h"
#include "instance/control/control.h"
#include "instance/control/hello.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void berth_info_free(BerthInfo *info)
{
    if (info == NULL)
        return;
    g_free(info->name);
    g_free(info->id);
    g_free(info->address);
    g_free(info->disk);
    g_free(info->state);
    g_free(info->reason);
    g_free(info->accel);
    g_free(info->kernel);
    g_free(info->init);
    g_free(info->init_status);
    g_free(info->ports);
    g_free(info);
}

/* The file knows better than the row, which a killed resize may have left behind. */
static void fill_disk(BerthInfo *info, const BerthDistro *distro)
{
    const guint64 block = 512; /* of st_blocks, whatever the file system's */
    struct stat st;
    bool found = stat(distro->disk, &st) == 0;
    info->disk = g_strdup(distro->disk);
    info->disk_size = found ? (guint64)st.st_size : distro->disk_size;
    info->disk_used = found ? (guint64)st.st_blocks * block : 0;
}

static guint64 memory_used(guint pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%u/statm", pid);
    g_autofree char *text = NULL;
    guint64 resident = 0;
    if (pid == 0 || !g_file_get_contents(path, &text, NULL, NULL) ||
        sscanf(text, "%*u %" G_GUINT64_FORMAT, &resident) != 1)
        return 0;
    return resident * (guint64)sysconf(_SC_PAGE_SIZE);
}

static void fill_ports(BerthInfo *info, int fd)
{
    g_autoptr(GPtrArray) forwards = berth_control_ports(fd, NULL);
    if (forwards == NULL)
        return;
    info->ports = g_new0(guint16, forwards->len);
    for (guint i = 0; i < forwards->len; i++) {
        const BerthForward *forward = forwards->pdata[i];
        if (forward->state == BERTH_FORWARD_OPEN)
            info->ports[info->n_ports++] = forward->host_port;
    }
}

/* Whether its keeper still listens, which one that was just killed did a moment ago. */
static bool still_listens(const Job *job)
{
    berth_autofd int fd = berth_private_connect(job->berth, job->distro, NULL);
    return fd >= 0;
}

/* A keeper of another version of berth: nothing is known but that it keeps the distro. */
static void fill_mismatch(BerthInfo *info, const BerthDistro *distro, const char *remark)
{
    g_autoptr(BerthDiskUser) user = berth_hold_find(distro->disk);
    info->state = g_strdup("running");
    info->reason = g_strdup(remark);
    if (user != NULL && berth_disk_user_keeps(user, distro->id))
        info->keeper_pid = (guint)user->pid;
}

static void fill_running(BerthInfo *info, const Job *job, int fd)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(BerthInstanceStatus) status = berth_control_status(fd, &problem);
    if (berth_hello_is_mismatch(problem)) {
        fill_mismatch(info, job->distro, problem->message);
        return;
    }
    if (status == NULL) {
        info->state = g_strdup(still_listens(job) ? "unresponsive" : "stopped");
        return;
    }
    info->state = g_steal_pointer(&status->state);
    info->reason = *status->reason != '\0' ? g_steal_pointer(&status->reason) : NULL;
    info->accel = g_steal_pointer(&status->accel);
    info->kernel = g_steal_pointer(&status->kernel);
    info->init = g_steal_pointer(&status->init);
    info->init_status = g_steal_pointer(&status->init_status);
    info->started_usec = status->started_usec;
    info->sessions = status->sessions;
    info->keeper_pid = status->keeper_pid;
    info->qemu_pid = status->qemu_pid;
    info->memory_used = memory_used(status->qemu_pid);
    fill_ports(info, fd);
}

/* A distro without a keeper that listens; its disk may be in use all the same. */
static void fill_unreached(BerthInfo *info, const BerthDistro *distro, bool kept)
{
    g_autoptr(BerthDiskUser) user = berth_hold_find(distro->disk);
    bool leaves = user != NULL && !kept && berth_disk_user_keeps(user, distro->id);
    if (user == NULL || leaves) {
        info->state = g_strdup("stopped");
        return;
    }
    info->state = g_strdup(kept ? "unresponsive" : berth_work_state(BERTH_WORK_OTHER));
    *(kept ? &info->keeper_pid : &info->holder_pid) = (guint)user->pid;
}

/* A distro somebody works on is in the state of that work, running or not. */
static void note_holder(BerthInfo *info, const BerthClaimHolder *holder)
{
    if (holder == NULL)
        return;
    g_free(info->state);
    info->state = g_strdup(berth_work_state(holder->work));
    info->holder_pid = (guint)holder->pid;
}

static gpointer describe(gpointer data)
{
    Job *job = data;
    BerthInfo *info = g_new0(BerthInfo, 1);
    info->name = g_strdup(job->distro->name);
    info->id = g_strdup(job->distro->id);
    info->number = job->distro->number;
    info->address = berth_distro_address(info->number);
    info->is_default = job->distro->is_default;
    fill_disk(info, job->distro);
    info->created_usec = job->distro->created_usec;
    job->result = info;

    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = berth_private_connect(job->berth, job->distro, &problem);
    if (fd < 0) {
        fill_unreached(info, job->distro, berth_private_is_unreachable(problem));
    } else {
        berth_private_limit_waiting(fd, ANSWER_TIMEOUT_SEC);
        fill_running(info, job, fd);
    }
    note_holder(info, job->holder);
    return NULL;
}

static bool is_registered(const GPtrArray *distros, const char *id)
{
    for (guint i = 0; i < distros->len; i++)
        if (g_str_equal(((const BerthDistro *)distros->pdata[i])->id, id))
            return true;
    return false;
}

/* A distro that is only being made. */
static BerthInfo *unborn(const BerthClaimHolder *holder)
{
    BerthInfo *info = g_new0(BerthInfo, 1);
    info->name = g_strdup(holder->name);
    info->id = g_strdup(holder->id);
    info->state = g_strdup("");
    note_holder(info, holder);
    return info;
}

GPtrArray *berth_list(Berth *berth, GError **error)
{
    BerthRegistry *registry = berth_private_registry(berth, error);
    if (registry == NULL || berth_private_runtime(berth, error) == NULL)
        return NULL;
    /* Claims first: what was just being made then is in the registry now. */
    g_autoptr(GPtrArray) holders = berth_claim_list(berth->layout);
    g_autoptr(GPtrArray) distros = berth_registry_list(registry, error);
    if (distros == NULL)
        return NULL;

    g_autoptr(GPtrArray) jobs = berth_private_for_each(berth, distros, describe, NULL, holders);
    GPtrArray *infos = g_ptr_array_new_with_free_func((GDestroyNotify)berth_info_free);
    for (guint i = 0; i < jobs->len; i++)
        g_ptr_array_add(infos, ((Job *)jobs->pdata[i])->result);
    for (guint i = 0; i < holders->len; i++)
        if (!is_registered(distros, ((const BerthClaimHolder *)holders->pdata[i])->id))
            g_ptr_array_add(infos, unborn(holders->pdata[i]));
    return infos;
}

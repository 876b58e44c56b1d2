/* SPDX-License-Identifier: MIT */
#include "reach.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/runtime.h"
#include "instance/control/runtime_files.h"
#include "model/machine.h"
#include "park/park_file.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define UNREACHABLE "instance.unreachable"
/* Limit for a keeper to end after its last answer. */
#define LEAVE_TIMEOUT_MSEC 10000

BerthDiskUser *berth_reach_keeper(const BerthDistro *distro)
{
    g_autoptr(BerthDiskUser) user = berth_hold_find(distro->disk);
    return user != NULL && berth_disk_user_keeps(user, distro->id) ? g_steal_pointer(&user) : NULL;
}

/* A keeper has a control socket, and its disk is locked. Either is enough: the directory may have
 * been removed, and so may the disk's file. */
bool berth_reach_may_run(const Berth *berth, const BerthDistro *distro)
{
    g_autofree char *control =
        g_build_filename(berth->layout->runtime, distro->id, BERTH_RUNTIME_CONTROL, NULL);
    return access(control, F_OK) == 0 || berth_hold_is_locked(distro->disk);
}

const char *berth_reach_state_left(const Berth *berth, const BerthDistro *distro)
{
    if (berth_park_exists(distro->disk))
        return "parked";
    return berth_reach_may_run(berth, distro) ? NULL : "stopped";
}

GPtrArray *berth_reach_find_running(const Berth *berth, const GPtrArray *distros)
{
    GPtrArray *running = g_ptr_array_new();
    for (guint i = 0; i < distros->len; i++)
        if (berth_reach_may_run(berth, distros->pdata[i]))
            g_ptr_array_add(running, distros->pdata[i]);
    return running;
}

static int set_unreachable(const BerthDistro *distro, const BerthDiskUser *user, GError **error)
{
    g_autofree char *hint =
        g_strdup_printf("end it, then try again: berth terminate %s", distro->name);
    berth_error_set(error, BERTH_ERROR_BUSY, UNREACHABLE, hint,
                    "%s is running, but its keeper (process %d) cannot be reached: its directory "
                    "%s was removed",
                    distro->name, (int)user->pid, user->directory);
    return -1;
}

int berth_reach_connect(const Berth *berth, const BerthDistro *distro, GError **error)
{
    g_autoptr(GError) problem = NULL;
    int fd = berth_runtime_connect(berth->layout->runtime, distro->id, &problem);
    if (fd >= 0)
        return fd;
    g_autoptr(BerthDiskUser) keeper = berth_reach_keeper(distro);
    fd = keeper != NULL ? berth_runtime_connect_in(keeper->directory, NULL) : -1;
    if (fd >= 0)
        return fd;
    if (keeper != NULL && !keeper->at_home)
        return set_unreachable(distro, keeper, error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return -1;
}

char *berth_reach_directory(const Berth *berth, const BerthDistro *distro)
{
    g_autoptr(BerthDiskUser) keeper = berth_reach_keeper(distro);
    return keeper != NULL ? g_strdup(keeper->directory)
                          : g_build_filename(berth->layout->runtime, distro->id, NULL);
}

bool berth_reach_is_unreachable(const GError *error)
{
    return error != NULL && strcmp(berth_error_id(error), UNREACHABLE) == 0;
}

void berth_reach_wait_end(const BerthDiskUser *keeper)
{
    struct pollfd poller = {.fd = keeper != NULL ? keeper->pidfd : -1, .events = POLLIN};
    if (keeper != NULL)
        poll(&poller, 1, LEAVE_TIMEOUT_MSEC);
}

/* Identify the distro whose keeper has the directory @id; NULL if its files do not tell. */
static BerthDistro *read_distro(const Berth *berth, const char *id)
{
    g_autofree char *path =
        g_build_filename(berth->layout->runtime, id, BERTH_RUNTIME_MACHINE, NULL);
    g_autofree char *name = berth_machine_read_name(path, NULL);
    if (name == NULL)
        return NULL;
    BerthDistro *distro = berth_distro_new(name);
    g_free(distro->id);
    distro->id = g_strdup(id);
    distro->disk = berth_layout_disk(berth->layout, id);
    return distro;
}

static bool is_wanted(const BerthDistro *distro, const char *const *names)
{
    for (gsize i = 0; names != NULL && names[i] != NULL; i++)
        if (g_ascii_strcasecmp(names[i], distro->name) == 0)
            return true;
    return names == NULL;
}

static GPtrArray *find_kept(const Berth *berth, const char *const *names)
{
    GPtrArray *distros = g_ptr_array_new_with_free_func((GDestroyNotify)berth_distro_free);
    g_autoptr(GDir) listing = g_dir_open(berth->layout->runtime, 0, NULL);
    const char *id;
    while (listing != NULL && (id = g_dir_read_name(listing)) != NULL) {
        g_autoptr(BerthDistro) distro = read_distro(berth, id);
        if (distro != NULL && is_wanted(distro, names))
            g_ptr_array_add(distros, g_steal_pointer(&distro));
    }
    return distros;
}

GPtrArray *berth_reach_find_stoppable(Berth *berth, const char *const *names, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) distros = berth_handle_find_all(berth, names, &problem);
    if (distros == NULL && berth->registry == NULL) {
        distros = find_kept(berth, names);
        if (distros->len == 0)
            g_clear_pointer(&distros, g_ptr_array_unref);
    }
    if (distros == NULL)
        g_propagate_error(error, g_steal_pointer(&problem));
    return g_steal_pointer(&distros);
}

bool berth_reach_end(const Berth *berth, const BerthDistro *distro, int grace_sec, GError **error)
{
    g_autoptr(BerthDiskUser) keeper = berth_reach_keeper(distro);
    return keeper != NULL ? berth_runtime_end(keeper->pidfd, keeper->pid, grace_sec, error)
                          : berth_runtime_kill(berth->layout->runtime, distro->id, error);
}

void berth_reach_limit_waiting(int fd, guint seconds)
{
    const struct timeval limit = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

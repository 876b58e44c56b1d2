/* SPDX-License-Identifier: MIT */
#include "mount.h"

#include "mount_guest.h"
#include "reach.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/detach.h"
#include "mount/carrier.h"
#include "mount/fusermount.h"
#include "mount/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_FAILED 1
#define REPORT_DONE   "mounted"

/* ---- the report of the process: REPORT_DONE, or code, id, hint and message on lines ---- */

static void report_error(int fd, const GError *error)
{
    const char *hint = berth_error_hint(error);
    g_autofree char *text = g_strdup_printf("%d\n%s\n%s\n%s", error->code, berth_error_id(error),
                                            hint != NULL ? hint : "", error->message);
    berth_fd_write_all(fd, text, strlen(text));
}

static bool check_report(const char *report, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(report, "\n", 4);
    if (strcmp(report, REPORT_DONE) == 0)
        return true;
    if (g_strv_length(lines) == 4)
        berth_error_set_remote(error, (guint)g_ascii_strtoull(lines[0], NULL, 10), lines[1],
                               *lines[2] != '\0' ? lines[2] : NULL, lines[3]);
    else
        berth_error_set(error, BERTH_ERROR_FAILED, "mount.ended", NULL,
                        "the process of the mount ended at its start");
    return false;
}

/* ---- mounting ---- */

static bool check_directory(const char *path, GError **error)
{
    struct stat info;
    int result = stat(path, &info) < 0 ? errno : S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
    if (result == 0)
        return true;
    if (result == ENOTCONN) {
        g_autofree char *hint = g_strdup_printf("unmount it first: berth umount %s", path);
        berth_error_set(error, BERTH_ERROR_BUSY, "mount.dead", hint,
                        "%s: a mount whose process has ended", path);
    } else if (result == ENOENT) {
        g_autofree char *hint = g_strdup_printf("create it: mkdir -p %s", path);
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "mount.directory.missing", hint,
                        "%s: no such directory", path);
    } else {
        berth_error_set_errno(error, result, "mount.directory", "%s", path);
    }
    return false;
}

/* The absolute path of the directory to mount on; NULL with @error. */
static char *find_directory(const char *path, GError **error)
{
    if (!check_directory(path, error))
        return NULL;
    g_autofree char *absolute = berth_mounts_path(path);
    if (absolute == NULL) {
        berth_error_set_errno(error, errno, "mount.directory", "%s", path);
        return NULL;
    }
    g_autofree char *mounted = berth_mounts_find(absolute);
    if (mounted == NULL)
        return g_steal_pointer(&absolute);
    g_autofree char *hint = g_strdup_printf("unmount it first: berth umount %s", path);
    berth_error_set(error, BERTH_ERROR_EXISTS, "mount.exists", hint, "%s is mounted there already",
                    mounted);
    return NULL;
}

static bool check_running(Berth *berth, const BerthDistro *distro, GError **error)
{
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = berth_reach_connect(berth, distro, &problem);
    if (fd >= 0)
        return true;
    if (!berth_error_is(problem, BERTH_ERROR_NOT_RUNNING)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    g_autofree char *hint = g_strdup_printf(
        "start it: berth start %s; or add --start, and an access starts it", distro->name);
    berth_error_set(error, BERTH_ERROR_NOT_RUNNING, "mount.not-running", hint, "%s is not running",
                    distro->name);
    return false;
}

static bool start_process(const Berth *berth, const char *const *argv, GError **error)
{
    int report[2];
    berth_autofd int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null_fd < 0 || pipe2(report, O_CLOEXEC) < 0) {
        berth_error_set_errno(error, errno, "mount", "pipe");
        return false;
    }
    berth_autofd int report_read = report[0];
    berth_autofd int report_write = report[1];
    const BerthDetach detach = {
        .argv = (char *const *)argv,
        .log_fd = null_fd,
        .fds = {report_write},
        .n_fds = 1,
        .environment = berth_handle_environment(berth),
    };
    if (!berth_detach(&detach, error))
        return false;
    berth_fd_close(&report_write);
    g_autofree char *text = berth_fd_read_text(report_read);
    return check_report(text, error);
}

bool berth_mount_start(Berth *berth, const BerthMountOptions *mount, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, mount->name, error);
    g_autofree char *path = distro != NULL ? find_directory(mount->path, error) : NULL;
    if (path == NULL || (!mount->start && !check_running(berth, distro, error)))
        return false;
    g_autofree char *program = berth_layout_mount_program(berth->layout);
    const char *const argv[] = {program,     distro->id, path, mount->start ? "start" : "running",
                                mount->user, /* or the end */
                                NULL};
    return start_process(berth, argv, error);
}

bool berth_mount_end(const char *path, bool lazy, GError **error)
{
    g_autofree char *absolute = berth_mounts_path(path);
    g_autofree char *mounted = absolute != NULL ? berth_mounts_find(absolute) : NULL;
    if (mounted != NULL)
        return berth_fusermount_close(absolute, lazy, error);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "umount.not-mounted",
                    "list the mounts: findmnt -t fuse.berth", "%s: no distro is mounted there",
                    path);
    return false;
}

/* ---- the process ---- */

static int open_mount(const BerthMountGuestEnd *end, const BerthMountOptions *mount, GError **error)
{
    g_autofree char *source = berth_mounts_source(berth_mount_guest_name(end));
    return berth_fusermount_open(mount->path, source, error);
}

/* The descriptor of /dev/fuse, or -1. A distro that need not run is not asked. */
static int begin(BerthMountGuestEnd *end, const BerthMountOptions *mount, GError **error)
{
    if (!mount->start && !berth_mount_guest_prepare(end, error))
        return -1;
    return open_mount(end, mount, error);
}

int berth_mount_serve(Berth *berth, const char *id, const BerthMountOptions *mount, int report_fd)
{
    g_autoptr(GError) error = NULL;
    berth_autofd int report = report_fd;
    signal(SIGPIPE, SIG_IGN);
    BerthMountGuestEnd *end = berth_mount_guest_new(berth, id, mount->user, mount->start, &error);
    int fuse = end != NULL ? begin(end, mount, &error) : -1;
    if (fuse < 0) {
        report_error(report, error);
        return STATUS_FAILED;
    }
    berth_fd_write_all(report, REPORT_DONE, strlen(REPORT_DONE));
    berth_fd_close(&report);
    const BerthMountGuest guest = {berth_mount_guest_connect, berth_mount_guest_disconnect, end,
                                   id};
    berth_mount_carry(fuse, &guest);
}

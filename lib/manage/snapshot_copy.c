/* SPDX-License-Identifier: MIT */
#include "snapshot_copy.h"

#include "base/error.h"
#include "base/size.h"
#include "disk/file/copy.h"
#include "watch.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static bool set_too_little(GError **error, const char *work, const char *path, const char *need,
                           const char *room)
{
    g_autofree char *id = g_strconcat(work, ".no-space", NULL);
    berth_error_set(error, BERTH_ERROR_NO_SPACE, g_intern_string(id),
                    "free some space, or remove snapshots: berth snapshot --remove NAME TAG",
                    "%s: a copy needs %s, and %s is free", path, need, room);
    return false;
}

/* Say what a copy that shares no blocks costs; refuse it if it does not fit. */
static bool check_cost(int input, const char *path, const BerthTemp *temp, const char *work,
                       const BerthSnapshotWatch *watch, GError **error)
{
    guint64 bytes;
    struct statvfs space;
    int errnum = berth_copy_measure(input, &bytes);
    if (errnum != 0 || fstatvfs(berth_temp_fd(temp), &space) < 0) {
        berth_error_set_errno(error, errnum != 0 ? errnum : errno, work, "%s", path);
        return false;
    }
    guint64 free_bytes = (guint64)space.f_bavail * space.f_frsize;
    g_autofree char *need = berth_size_format(bytes);
    g_autofree char *room = berth_size_format(free_bytes);
    if (bytes > free_bytes)
        return set_too_little(error, work, path, need, room);
    g_autofree char *line = g_strdup_printf(
        "the file system cannot share blocks: copying %s, and %s is free", need, room);
    if (watch->notice != NULL)
        watch->notice(line, watch->user_data);
    return true;
}

/* Give @output the mode and the time of the last write of @input. 0, or -1 with errno. */
static int copy_times(int input, int output)
{
    struct stat st;
    if (fstat(input, &st) < 0)
        return -1;
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, st.st_mtim};
    return fchmod(output, st.st_mode & 07777) < 0 ? -1 : futimens(output, times);
}

bool berth_snapshot_copy(int input, const char *path, const BerthTemp *temp, const char *work,
                         const BerthSnapshotWatch *watch, GError **error)
{
    int output = berth_temp_fd(temp);
    bool shared = berth_copy_share(input, output);
    if (!shared && (!check_cost(input, path, temp, work, watch, error) ||
                    !berth_copy(input, output, work, path, berth_watch_progress,
                                (gpointer)&watch->work, NULL, error)))
        return false;
    if (copy_times(input, output) == 0)
        return true;
    berth_error_set_errno(error, errno, work, "%s", path);
    return false;
}

bool berth_snapshot_is_same(int one, int other)
{
    struct stat a, b;
    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_size == b.st_size &&
           a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

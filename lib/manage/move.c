/* SPDX-License-Identifier: MIT */
#include "move.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/file/copy.h"
#include "disk/file/temp.h"
#include "hold.h"
#include "park/park_file.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool set_errno(GError **error, const char *step, const char *path)
{
    berth_error_set_errno(error, errno, step, "%s", path);
    return false;
}

/* The new path of the disk; free with g_free. *@ret_made is the directory created for it, or
 * NULL. */
static char *make_target(const BerthLayout *layout, const BerthDistro *distro,
                         const char *directory, char **ret_made, GError **error)
{
    if (directory == NULL) {
        g_autofree char *own = berth_layout_distro(layout, distro->id);
        return berth_layout_make(own, error) ? berth_layout_disk(layout, distro->id) : NULL;
    }
    g_autofree char *absolute = g_canonicalize_filename(directory, NULL);
    if (mkdir(absolute, 0700) == 0) {
        *ret_made = g_strdup(absolute);
    } else if (errno != EEXIST) {
        set_errno(error, "move.directory", absolute);
        return NULL;
    }
    return berth_layout_disk_in(absolute, distro->name);
}

static bool sync_directory_of(const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    berth_autofd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && berth_fd_sync_directory(fd) == 0;
}

/* Copy the file @source, open as @input, to @target. */
static bool copy_file(BerthClaim *claim, int input, const char *source, const char *target,
                      const BerthWatch *watch, GError **error)
{
    g_autoptr(BerthTemp) temp = berth_temp_new_for("move", target, BERTH_TEMP_DEFAULT, error);
    return temp != NULL && berth_claim_add_file(claim, target, berth_temp_fd(temp), error) &&
           berth_copy(input, berth_temp_fd(temp), "move", source, berth_watch_progress,
                      (gpointer)watch, NULL, error) &&
           berth_temp_commit(temp, error);
}

/* Hard-link the file @source, open as @input, to its new path, or copy it across file systems. */
static bool bring_file(BerthClaim *claim, int input, const char *source, const char *target,
                       const BerthWatch *watch, GError **error)
{
    if (!berth_claim_add_file(claim, source, input, error) ||
        !berth_claim_add_file(claim, target, input, error))
        return false;
    if (linkat(AT_FDCWD, source, AT_FDCWD, target, AT_SYMLINK_FOLLOW) == 0)
        return sync_directory_of(target) || set_errno(error, "move.create", target);
    if (errno == EEXIST)
        return set_errno(error, "move.create", target);
    return copy_file(claim, input, source, target, watch, error);
}

/* The memory that was saved with the snapshot @from. The claim removes it with that, or with @to.
 */
static bool bring_memory(const char *from, const char *to, GError **error)
{
    g_autofree char *source = berth_park_path(from);
    g_autofree char *target = berth_park_path(to);
    berth_autofd int input = open(source, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (input < 0)
        return errno == ENOENT || set_errno(error, "move.open", source);
    if (linkat(AT_FDCWD, source, AT_FDCWD, target, 0) == 0)
        return sync_directory_of(target) || set_errno(error, "move.create", target);
    g_autoptr(BerthTemp) temp = berth_temp_new_for("move", target, BERTH_TEMP_REPLACE, error);
    return temp != NULL &&
           berth_copy(input, berth_temp_fd(temp), "move", source, NULL, NULL, NULL, error) &&
           berth_temp_commit(temp, error);
}

/* One whose file is missing stays so. */
static bool bring_snapshot(BerthClaim *claim, const BerthSnapshot *snapshot, const char *disk,
                           const char *target, const BerthWatch *watch, GError **error)
{
    g_autofree char *from = berth_snapshot_file(snapshot, disk);
    g_autofree char *to = berth_snapshot_file(snapshot, target);
    berth_autofd int input = open(from, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (input < 0)
        return errno == ENOENT || set_errno(error, "move.open", from);
    return bring_file(claim, input, from, to, watch, error) && bring_memory(from, to, error);
}

/* The row of the disk moves the snapshots', whose paths begin with it. */
static bool bring_snapshots(BerthRegistry *registry, BerthClaim *claim, const BerthDistro *distro,
                            const char *target, const BerthWatch *watch, GError **error)
{
    g_autoptr(GPtrArray) snapshots = berth_registry_snapshots(registry, distro, error);
    if (snapshots == NULL)
        return false;
    for (guint i = 0; i < snapshots->len; i++)
        if (!bring_snapshot(claim, snapshots->pdata[i], distro->disk, target, watch, error))
            return false;
    return true;
}

static bool switch_row(BerthRegistry *registry, BerthDistro *distro, const char *target,
                       GError **error)
{
    g_autofree char *old = distro->disk;
    distro->disk = g_strdup(target);
    if (berth_registry_set_disk(registry, distro, error))
        return true;
    g_free(distro->disk);
    distro->disk = g_steal_pointer(&old);
    return false;
}

bool berth_manage_move(const BerthLayout *layout, BerthRegistry *registry, BerthClaim *claim,
                       BerthDistro *distro, const char *directory, const BerthWatch *watch,
                       GError **error)
{
    berth_autofd int input = berth_hold_open(distro, BERTH_HOLD_READ, "move.open", error);
    if (input < 0)
        return false;
    g_autofree char *made = NULL;
    g_autofree char *target = make_target(layout, distro, directory, &made, error);
    if (target == NULL)
        return false;
    if (berth_fd_is_path(input, target))
        return true;
    if (bring_file(claim, input, distro->disk, target, watch, error) &&
        bring_snapshots(registry, claim, distro, target, watch, error) &&
        switch_row(registry, distro, target, error))
        return true;
    if (made != NULL)
        rmdir(made); /* fails if the disk is still in it; then the end of the claim removes both */
    return false;
}

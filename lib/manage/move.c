/* SPDX-License-Identifier: MIT */
#include "move.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/file/copy.h"
#include "disk/file/temp.h"
#include "hold.h"
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

static bool copy_disk(BerthClaim *claim, int input, const BerthDistro *distro, const char *target,
                      const BerthWatch *watch, GError **error)
{
    g_autoptr(BerthTemp) temp = berth_temp_new_for("move", target, BERTH_TEMP_DEFAULT, error);
    return temp != NULL && berth_claim_add_file(claim, target, berth_temp_fd(temp), error) &&
           berth_copy(input, berth_temp_fd(temp), "move", distro->disk, berth_watch_progress,
                      (gpointer)watch, NULL, error) &&
           berth_temp_commit(temp, error);
}

/* Hard-link the disk to its new path, or copy it across file systems. */
static bool bring_disk(BerthClaim *claim, int input, const BerthDistro *distro, const char *target,
                       const BerthWatch *watch, GError **error)
{
    if (!berth_claim_add_file(claim, distro->disk, input, error) ||
        !berth_claim_add_file(claim, target, input, error))
        return false;
    if (linkat(AT_FDCWD, distro->disk, AT_FDCWD, target, AT_SYMLINK_FOLLOW) == 0)
        return sync_directory_of(target) || set_errno(error, "move.create", target);
    if (errno == EEXIST)
        return set_errno(error, "move.create", target);
    return copy_disk(claim, input, distro, target, watch, error);
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
    if (bring_disk(claim, input, distro, target, watch, error) &&
        switch_row(registry, distro, target, error))
        return true;
    if (made != NULL)
        rmdir(made); /* fails if the disk is still in it; then the end of the claim removes both */
    return false;
}

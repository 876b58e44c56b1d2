/* SPDX-License-Identifier: MIT */
#include "restore.h"

#include "base/error.h"
#include "base/fd.h"
#include "hold.h"
#include "snapshot_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One restore. */
typedef struct {
    BerthRegistry *registry;
    BerthClaim *claim;
    BerthDistro *distro;
    const BerthSnapshotWatch *watch;
    GPtrArray *snapshots; /* of the distro, before the restore */
    int disk;             /* locked; -1: it no longer exists */
} Restore;

static void restore_clear(Restore *restore)
{
    berth_fd_close(&restore->disk);
    g_clear_pointer(&restore->snapshots, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Restore, restore_clear)

static bool hold_disk(Restore *restore, GError **error)
{
    g_autoptr(GError) problem = NULL;
    restore->disk = berth_hold_open(restore->distro, BERTH_HOLD_WRITE, "restore.open", &problem);
    if (restore->disk >= 0 || berth_error_is(problem, BERTH_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* The tag of a snapshot with the content of the disk, or NULL. */
static const char *find_same(const Restore *restore)
{
    for (guint i = 0; i < restore->snapshots->len; i++) {
        const BerthSnapshot *snapshot = restore->snapshots->pdata[i];
        g_autofree char *file = berth_snapshot_file(snapshot, restore->distro->disk);
        berth_autofd int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 && berth_snapshot_is_same(fd, restore->disk))
            return snapshot->tag;
    }
    return NULL;
}

/* --- keeping what is replaced --- */

static bool copy_disk(const Restore *restore, const char *file, GError **error)
{
    g_autoptr(BerthTemp) temp = berth_temp_new_for("restore", file, BERTH_TEMP_DEFAULT, error);
    return temp != NULL && berth_claim_add_file(restore->claim, file, berth_temp_fd(temp), error) &&
           berth_snapshot_copy(restore->disk, restore->distro->disk, temp, "restore",
                               restore->watch, error) &&
           berth_temp_commit(temp, error);
}

/* Errors of file systems without hard links, where a copy is needed. */
static bool is_without_links(int errnum)
{
    return errnum == EPERM || errnum == EOPNOTSUPP || errnum == ENOSYS || errnum == EMLINK;
}

/* Give the disk the second name @file. */
static bool keep_file(const Restore *restore, const char *file, GError **error)
{
    if (!berth_claim_add_file(restore->claim, file, restore->disk, error))
        return false;
    if (linkat(AT_FDCWD, restore->distro->disk, AT_FDCWD, file, AT_SYMLINK_FOLLOW) == 0)
        return true; /* the new disk's rename syncs the directory */
    if (is_without_links(errno))
        return copy_disk(restore, file, error);
    berth_error_set_errno(error, errno, "restore.create", "%s", file);
    return false;
}

/* Make the disk an automatic snapshot that is not settled yet. NULL on error. */
static BerthSnapshot *keep(const Restore *restore, GError **error)
{
    g_autoptr(BerthSnapshot) kept = berth_snapshot_new(restore->distro, NULL, g_get_real_time());
    g_free(kept->tag);
    kept->tag = g_strdup(kept->suffix);
    kept->automatic = true;
    g_autofree char *file = berth_snapshot_file(kept, restore->distro->disk);
    return keep_file(restore, file, error) &&
                   berth_registry_add_snapshot(restore->registry, kept, error)
               ? g_steal_pointer(&kept)
               : NULL;
}

/* List the files of what former restores kept, whose rows this one will remove. */
static bool claim_former(const Restore *restore, GError **error)
{
    for (guint i = 0; i < restore->snapshots->len; i++) {
        const BerthSnapshot *snapshot = restore->snapshots->pdata[i];
        g_autofree char *file = berth_snapshot_file(snapshot, restore->distro->disk);
        if (berth_snapshot_is_replaced(snapshot) &&
            !berth_claim_add_file(restore->claim, file, -1, error))
            return false;
    }
    return true;
}

/* --- replacing it --- */

/* Rename @temp over the disk, and record its size. */
static bool replace_disk(const Restore *restore, BerthTemp *temp, GError **error)
{
    struct stat st;
    if (fstat(berth_temp_fd(temp), &st) < 0) {
        berth_error_set_errno(error, errno, "restore", "%s", restore->distro->disk);
        return false;
    }
    restore->distro->disk_size = (guint64)st.st_size;
    return berth_temp_commit(temp, error) &&
           berth_registry_set_disk(restore->registry, restore->distro, error);
}

static bool keep_and_replace(const Restore *restore, BerthTemp *temp, GError **error)
{
    if (!claim_former(restore, error))
        return false;
    g_autoptr(BerthSnapshot) kept = keep(restore, error);
    return kept != NULL && replace_disk(restore, temp, error) &&
           berth_registry_settle_snapshot(restore->registry, kept, BERTH_SNAPSHOT_BEFORE_RESTORE,
                                          error);
}

/* Replace the disk by a copy of @source. *@ret_kept: the tag of the snapshot of what it was. */
static bool restore_from(const Restore *restore, int source, const char **ret_kept, GError **error)
{
    const char *same = restore->disk >= 0 ? find_same(restore) : NULL;
    g_autoptr(BerthTemp) temp =
        berth_temp_new_for("restore", restore->distro->disk, BERTH_TEMP_REPLACE, error);
    if (temp == NULL ||
        !berth_snapshot_copy(source, restore->distro->disk, temp, "restore", restore->watch, error))
        return false;
    *ret_kept = restore->disk >= 0 && same == NULL ? BERTH_SNAPSHOT_BEFORE_RESTORE : same;
    return *ret_kept == same ? replace_disk(restore, temp, error)
                             : keep_and_replace(restore, temp, error);
}

bool berth_manage_restore(BerthRegistry *registry, BerthClaim *claim, BerthDistro *distro,
                          const BerthSnapshot *snapshot, const BerthSnapshotWatch *watch,
                          BerthRestored *ret_restored, GError **error)
{
    g_auto(Restore) restore = {registry, claim, distro, watch, .disk = -1};
    if (!hold_disk(&restore, error))
        return false;
    berth_autofd int source =
        berth_manage_open_snapshot(distro, snapshot, "restore.snapshot", error);
    if (source < 0)
        return false;
    restore.snapshots = berth_registry_snapshots(registry, distro, error);
    if (restore.snapshots == NULL)
        return false;

    const char *kept = NULL;
    bool unchanged = restore.disk >= 0 && berth_snapshot_is_same(restore.disk, source);
    if (!unchanged && !restore_from(&restore, source, &kept, error))
        return false;
    *ret_restored = (BerthRestored){.unchanged = unchanged, .kept = g_strdup(kept)};
    return true;
}

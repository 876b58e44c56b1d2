/* SPDX-License-Identifier: MIT */
#include "snapshot.h"

#include "base/error.h"
#include "base/fd.h"
#include "snapshot_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* The local time as a tag that is free. Free with g_free. */
static char *make_tag(const GPtrArray *snapshots, const char *stamp)
{
    char *tag = g_strdup(stamp);
    for (guint i = 2; berth_snapshot_find(snapshots, tag) != NULL; i++) {
        g_free(tag);
        tag = g_strdup_printf("%s-%u", stamp, i);
    }
    return tag;
}

static bool check_free(const GPtrArray *snapshots, const BerthDistro *distro, const char *tag,
                       GError **error)
{
    const BerthSnapshot *other = berth_snapshot_find(snapshots, tag);
    if (other == NULL)
        return true;
    g_autofree char *hint =
        g_strdup_printf("choose another name, or remove the other: berth snapshot --remove %s %s",
                        distro->name, other->tag);
    berth_error_set(error, BERTH_ERROR_EXISTS, "snapshot.exists", hint,
                    "there is a snapshot called %s already", other->tag);
    return false;
}

/* Give @snapshot, which is named by the time, another tag if that is taken. */
static void make_unique(const GPtrArray *snapshots, BerthSnapshot *snapshot)
{
    g_autofree char *stamp = snapshot->tag;
    snapshot->tag = make_tag(snapshots, stamp);
}

static BerthSnapshot *name_snapshot(const GPtrArray *snapshots, const BerthDistro *distro,
                                    const char *tag, GError **error)
{
    if (tag != NULL &&
        (!berth_snapshot_check_tag(tag, error) || !check_free(snapshots, distro, tag, error)))
        return NULL;
    BerthSnapshot *snapshot = berth_snapshot_new(distro, tag, g_get_real_time());
    if (tag == NULL)
        make_unique(snapshots, snapshot);
    return snapshot;
}

static bool copy_disk(BerthClaim *claim, const BerthDistro *distro, const BerthSnapshot *snapshot,
                      const BerthDiskHold *hold, const BerthSnapshotWatch *watch, GError **error)
{
    struct stat before = {0};
    g_autofree char *file = berth_snapshot_file(snapshot, distro->disk);
    g_autoptr(BerthTemp) temp = berth_temp_new_for("snapshot", file, BERTH_TEMP_DEFAULT, error);
    if (temp == NULL || !berth_claim_add_file(claim, file, berth_temp_fd(temp), error))
        return false;
    berth_autofd int disk = berth_hold_begin_copy(distro, hold, "snapshot.open", &before, error);
    return disk >= 0 && berth_snapshot_copy(disk, distro->disk, temp, "snapshot", watch, error) &&
           berth_hold_save(hold, distro, file, error) &&
           berth_hold_end_copy(disk, distro, hold, &before, error) &&
           berth_temp_commit(temp, error) && berth_hold_saved(hold, error);
}

bool berth_manage_snapshot(BerthRegistry *registry, BerthClaim *claim, const BerthDistro *distro,
                           const char *tag, const BerthDiskHold *hold,
                           const BerthSnapshotWatch *watch, BerthSnapshot **ret_snapshot,
                           GError **error)
{
    g_autoptr(GPtrArray) snapshots = berth_registry_snapshots(registry, distro, error);
    g_autoptr(BerthSnapshot) snapshot =
        snapshots != NULL ? name_snapshot(snapshots, distro, tag, error) : NULL;
    if (snapshot == NULL || !copy_disk(claim, distro, snapshot, hold, watch, error) ||
        !berth_registry_add_snapshot(registry, snapshot, error))
        return false;
    *ret_snapshot = g_steal_pointer(&snapshot);
    return true;
}

bool berth_manage_checkpoint(BerthRegistry *registry, BerthClaim *claim, const BerthDistro *distro,
                             const BerthDiskHold *hold, const BerthSnapshotWatch *watch,
                             BerthSnapshot **ret_snapshot, GError **error)
{
    g_autoptr(GPtrArray) snapshots = berth_registry_snapshots(registry, distro, error);
    if (snapshots == NULL)
        return false;
    g_autoptr(BerthSnapshot) snapshot = berth_snapshot_new_checkpoint(distro, g_get_real_time());
    make_unique(snapshots, snapshot);
    if (!copy_disk(claim, distro, snapshot, hold, watch, error) ||
        !berth_registry_add_snapshot(registry, snapshot, error))
        return false;
    *ret_snapshot = g_steal_pointer(&snapshot);
    return true;
}

const BerthSnapshot *berth_manage_find_snapshot(const GPtrArray *snapshots,
                                                const BerthDistro *distro, const char *tag,
                                                GError **error)
{
    const BerthSnapshot *snapshot = berth_snapshot_find(snapshots, tag);
    if (snapshot != NULL)
        return snapshot;
    g_autofree char *shown = g_strescape(tag, NULL);
    g_autofree char *hint = g_strdup_printf("list them: berth snapshots %s", distro->name);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "snapshot.not-found", hint,
                    "%s has no snapshot called %.80s", distro->name, shown);
    return NULL;
}

int berth_manage_open_snapshot(const BerthDistro *distro, const BerthSnapshot *snapshot,
                               const char *step, GError **error)
{
    g_autofree char *file = berth_snapshot_file(snapshot, distro->disk);
    int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno != ENOENT) {
        berth_error_set_errno(error, errno, step, "%s", file);
        return -1;
    }
    g_autofree char *id = g_strconcat(step, ".missing", NULL);
    g_autofree char *hint = g_strdup_printf("put it back, or: berth snapshot --remove %s %s",
                                            distro->name, snapshot->tag);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, g_intern_string(id), hint,
                    "%s: no such file or directory", file);
    return -1;
}

static bool claim_file(BerthClaim *claim, const BerthDistro *distro, const BerthSnapshot *snapshot,
                       GError **error)
{
    g_autofree char *file = berth_snapshot_file(snapshot, distro->disk);
    return berth_claim_add_file(claim, file, -1, error);
}

bool berth_manage_remove_snapshots(BerthRegistry *registry, BerthClaim *claim,
                                   const BerthDistro *distro, const char *const *tags,
                                   GError **error)
{
    g_autoptr(GPtrArray) snapshots = berth_registry_snapshots(registry, distro, error);
    if (snapshots == NULL)
        return false;
    for (gsize i = 0; tags[i] != NULL; i++)
        if (berth_manage_find_snapshot(snapshots, distro, tags[i], error) == NULL)
            return false;
    for (gsize i = 0; tags[i] != NULL; i++) {
        const BerthSnapshot *snapshot = berth_snapshot_find(snapshots, tags[i]);
        if (!claim_file(claim, distro, snapshot, error) ||
            !berth_registry_remove_snapshot(registry, snapshot, error))
            return false;
    }
    return true;
}

bool berth_manage_claim_snapshots(BerthRegistry *registry, BerthClaim *claim,
                                  const BerthDistro *distro, GError **error)
{
    g_autoptr(GPtrArray) snapshots = berth_registry_snapshots(registry, distro, error);
    if (snapshots == NULL)
        return false;
    for (guint i = 0; i < snapshots->len; i++)
        if (!claim_file(claim, distro, snapshots->pdata[i], error))
            return false;
    return true;
}

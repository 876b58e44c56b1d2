/* SPDX-License-Identifier: MIT */
#include "snapshot_diff.h"

#include "snapshots.h"

#include "base/error.h"
#include "base/fd.h"
#include "manage/diff.h"
#include "manage/hold.h"

#include <string.h>

/* A distro whose disks are compared. */
typedef struct {
    BerthClaim *claim; /* NULL: only snapshots are read, or no command can make claims */
    BerthDistro *distro;
    GPtrArray *snapshots;
} Comparison;

static void comparison_clear(Comparison *comparison)
{
    berth_claim_release(comparison->claim);
    berth_distro_free(comparison->distro);
    g_clear_pointer(&comparison->snapshots, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Comparison, comparison_clear)

/* Snapshots never change, and an open one may be removed: they need no claim. */
static bool begin(Comparison *comparison, Berth *berth, const char *name, bool reads_disk,
                  GError **error)
{
    if (reads_disk) {
        if (!berth_handle_claim_to_read(berth, name, BERTH_WORK_DIFF, &comparison->claim,
                                        &comparison->distro, error))
            return false;
    } else {
        comparison->distro = berth_handle_find(berth, name, error);
    }
    if (comparison->distro == NULL)
        return false;
    comparison->snapshots = berth_registry_snapshots(berth->registry, comparison->distro, error);
    return comparison->snapshots != NULL;
}

static int open_end(const Comparison *comparison, const BerthSnapshot *snapshot, GError **error)
{
    return snapshot != NULL
               ? berth_manage_open_snapshot(comparison->distro, snapshot, "diff.snapshot", error)
               : berth_hold_open(comparison->distro, BERTH_HOLD_READ, "diff.open", error);
}

static BerthDiffEnd make_end(const BerthSnapshot *snapshot)
{
    return snapshot != NULL ? (BerthDiffEnd){g_strdup(snapshot->tag), snapshot->taken_usec}
                            : (BerthDiffEnd){0};
}

static bool pass(const BerthDifference *difference, gpointer user_data, GError **error)
{
    const BerthFilesWatch *watch = user_data;
    const char *aspects[BERTH_DIFFERENCE_ASPECTS + 1] = {NULL};
    for (guint i = 0, count = 0; i < BERTH_DIFFERENCE_ASPECTS; i++)
        if ((difference->aspects & 1U << i) != 0)
            aspects[count++] = berth_difference_aspect(i);
    g_autofree char *path = g_strconcat("/", difference->path, NULL);
    const BerthFileDifference file = {berth_difference_change(difference->change),
                                      berth_difference_type(difference->type), path, aspects};
    if (watch->difference(&file, watch->user_data))
        return true;
    berth_error_set(error, BERTH_ERROR_CANCELLED, "diff.cancelled", NULL, "cancelled");
    return false;
}

bool berth_snapshots_diff(Berth *berth, const char *name, const char *old_tag, const char *new_tag,
                          const BerthFilesWatch *watch, BerthDiffReport *ret_report, GError **error)
{
    g_auto(Comparison) comparison = {0};
    if (!begin(&comparison, berth, name, new_tag == NULL, error))
        return false;
    const BerthSnapshot *old =
        berth_snapshots_choose(comparison.snapshots, comparison.distro, old_tag, error);
    if (old == NULL)
        return false;
    const BerthSnapshot *new = NULL;
    if (new_tag != NULL) {
        new = berth_manage_find_snapshot(comparison.snapshots, comparison.distro, new_tag, error);
        if (new == NULL)
            return false;
    }
    berth_autofd int old_fd = open_end(&comparison, old, error);
    berth_autofd int new_fd = old_fd >= 0 ? open_end(&comparison, new, error) : -1;
    if (new_fd < 0)
        return false;
    const BerthDiffDisk old_disk = {old_fd, old->tag};
    const BerthDiffDisk new_disk = {new_fd, new != NULL ? new->tag : NULL};
    const BerthDiffWatch passing = {watch->work, pass, (gpointer)watch};
    if (!berth_manage_diff(berth->layout, comparison.distro, &old_disk, &new_disk, &passing, error))
        return false;
    *ret_report = (BerthDiffReport){make_end(old), make_end(new)};
    return true;
}

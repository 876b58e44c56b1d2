/* SPDX-License-Identifier: MIT
 *
 * The public functions about snapshots, over lib/lifecycle.
 */
#include "berth_snapshot.h"

#include "lifecycle/snapshot_diff.h"
#include "lifecycle/snapshots.h"

static BerthSnapshotWatch make_watch(const BerthSnapshotFuncs *funcs)
{
    return (BerthSnapshotWatch){.work = {funcs->progress, funcs->user_data},
                                .notice = funcs->notice,
                                .memory = funcs->memory,
                                .user_data = funcs->user_data};
}

bool berth_snapshot_take(Berth *berth, const char *name, const char *tag,
                         const BerthSnapshotFuncs *funcs, char **ret_tag, GError **error)
{
    const BerthSnapshotWatch watch = make_watch(funcs);
    return berth_snapshots_take(berth, name, tag, &watch, ret_tag, error);
}

bool berth_snapshot_remove(Berth *berth, const char *name, const char *const *tags, GError **error)
{
    return berth_snapshots_remove(berth, name, tags, error);
}

void berth_snapshot_info_free(BerthSnapshotInfo *info)
{
    g_free(info->distro);
    g_free(info->tag);
    g_free(info);
}

static BerthSnapshotInfo *public_info(const BerthSnapshotListing *listing)
{
    BerthSnapshotInfo *info = g_new(BerthSnapshotInfo, 1);
    *info = (BerthSnapshotInfo){.distro = g_strdup(listing->distro),
                                .tag = g_strdup(listing->tag),
                                .taken_usec = listing->taken_usec,
                                .automatic = listing->automatic,
                                .checkpoint = listing->checkpoint,
                                .missing = listing->missing,
                                .size = listing->size,
                                .used = listing->used,
                                .memory = listing->memory};
    return info;
}

GPtrArray *berth_snapshot_list(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) listings = berth_snapshots_list(berth, name, error);
    if (listings == NULL)
        return NULL;
    GPtrArray *infos = g_ptr_array_new_with_free_func((GDestroyNotify)berth_snapshot_info_free);
    for (guint i = 0; i < listings->len; i++)
        g_ptr_array_add(infos, public_info(listings->pdata[i]));
    return infos;
}

void berth_restoration_clear(BerthRestoration *restoration)
{
    g_clear_pointer(&restoration->tag, g_free);
    g_clear_pointer(&restoration->kept, g_free);
}

bool berth_snapshot_restore(Berth *berth, const char *name, const char *tag, bool terminate,
                            const BerthSnapshotFuncs *funcs, BerthRestoration *ret_restoration,
                            GError **error)
{
    const BerthRestoreOptions options = {tag, terminate, make_watch(funcs)};
    BerthRestoreReport report;
    if (!berth_snapshots_restore(berth, name, &options, &report, error))
        return false;
    *ret_restoration = (BerthRestoration){.tag = report.tag,
                                          .taken_usec = report.taken_usec,
                                          .unchanged = report.restored.unchanged,
                                          .kept = report.restored.kept,
                                          .memory = report.memory};
    return true;
}

static bool pass_difference(const BerthFileDifference *difference, gpointer user_data)
{
    const BerthDiffFuncs *funcs = user_data;
    const BerthDifferenceInfo info = {difference->change, difference->type, difference->path,
                                      difference->aspects};
    return funcs->difference(&info, funcs->user_data);
}

void berth_diff_result_clear(BerthDiffResult *result)
{
    g_clear_pointer(&result->old_tag, g_free);
    g_clear_pointer(&result->new_tag, g_free);
}

bool berth_snapshot_diff(Berth *berth, const char *name, const char *old_tag, const char *new_tag,
                         const BerthDiffFuncs *funcs, BerthDiffResult *ret_result, GError **error)
{
    const BerthFilesWatch watch = {
        .work = {funcs->progress, funcs->user_data},
        .difference = pass_difference,
        .user_data = (gpointer)funcs,
    };
    BerthDiffReport report;
    if (!berth_snapshots_diff(berth, name, old_tag, new_tag, &watch, &report, error))
        return false;
    *ret_result = (BerthDiffResult){.old_tag = report.old.tag,
                                    .old_taken_usec = report.old.taken_usec,
                                    .new_tag = report.new.tag,
                                    .new_taken_usec = report.new.taken_usec};
    return true;
}

/* SPDX-License-Identifier: MIT */
#include "checkpoint.h"

#include "held.h"
#include "list.h"

#include "base/error.h"
#include "base/size.h"
#include "manage/snapshot.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define STAT_BLOCK    G_GUINT64_CONSTANT(512) /* the unit of st_blocks on every file system */
#define RESERVE_MAX   (G_GUINT64_CONSTANT(10) << 30)
#define RESERVE_SHARE 10u

/* One checkpoint. */
typedef struct {
    const BerthDistro *distro;
    gint64 copying_usec; /* monotonic: when the copy began; 0: it has not */
    GError *problem;     /* why the copy was given up */
} Checkpoint;

static void checkpoint_clear(Checkpoint *checkpoint)
{
    g_clear_error(&checkpoint->problem);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Checkpoint, checkpoint_clear)

void berth_checkpoint_report_clear(BerthCheckpointReport *report)
{
    g_clear_pointer(&report->tag, g_free);
}

/* --- limits ----------------------------------------------------------------------------------- */

static bool check_size(const BerthDistro *distro, const BerthCheckpointPlan *plan, GError **error)
{
    guint64 size = 0, used = 0;
    berth_disk_measure(distro, &size, &used);
    if (plan->within == 0 || used <= plan->within)
        return true;
    g_autofree char *need = berth_size_format(used);
    g_autofree char *allowed = berth_size_format(plan->within);
    berth_error_set(error, BERTH_ERROR_NO_SPACE, "checkpoint.too-large",
                    "allow more in the setting checkpoint, or free space in the distro",
                    "one checkpoint takes %s, and all may take %s", need, allowed);
    return false;
}

/* A full file system would pause every distro on it, which no one asked for. */
static bool check_room(const BerthDistro *distro, guint64 bytes, GError **error)
{
    struct statvfs space;
    if (statvfs(distro->disk, &space) < 0)
        return true; /* the copy says what is wrong */
    guint64 all = (guint64)space.f_blocks * space.f_frsize;
    guint64 room = (guint64)space.f_bavail * space.f_frsize;
    guint64 reserve = MIN(all / RESERVE_SHARE, RESERVE_MAX);
    if (room >= reserve && bytes <= room - reserve)
        return true;
    g_autofree char *need = berth_size_format(bytes);
    g_autofree char *left = berth_size_format(room);
    g_autofree char *kept = berth_size_format(reserve);
    berth_error_set(error, BERTH_ERROR_NO_SPACE, "checkpoint.no-space",
                    "free some space, or remove snapshots: berth snapshot --remove NAME TAG",
                    "a copy needs %s, and %s is free, of which %s stays free", need, left, kept);
    return false;
}

static bool check_pause(const Checkpoint *checkpoint, GError **error)
{
    const double limit = (double)BERTH_CHECKPOINT_PAUSE_USEC / G_USEC_PER_SEC;
    if (g_get_monotonic_time() - checkpoint->copying_usec <= BERTH_CHECKPOINT_PAUSE_USEC)
        return true;
    berth_error_set(error, BERTH_ERROR_FAILED, "checkpoint.slow",
                    "keep the disk on a file system with reflinks (btrfs, XFS), or take snapshots "
                    "when it suits: berth snapshot NAME",
                    "it would stand still for more than %.0f s, since the file system cannot share "
                    "blocks",
                    limit);
    return false;
}

/* Called only for a copy that cannot share blocks, while the distro stands still. */
static bool on_progress(guint64 done, guint64 total, gpointer user_data)
{
    Checkpoint *checkpoint = user_data;
    return check_pause(checkpoint, &checkpoint->problem) &&
           check_room(checkpoint->distro, total > done ? total - done : 0, &checkpoint->problem);
}

/* Called before the first byte of such a copy. */
static void on_notice(const char *line, gpointer user_data)
{
    Checkpoint *checkpoint = user_data;
    checkpoint->copying_usec = g_get_monotonic_time();
}

/* --- taking ----------------------------------------------------------------------------------- */

static bool copy(Berth *berth, BerthClaim *claim, const BerthDistro *distro,
                 BerthCheckpointReport *report, GError **error)
{
    g_auto(Checkpoint) checkpoint = {.distro = distro};
    g_auto(BerthHeld) held = BERTH_HELD_INIT;
    g_autoptr(BerthSnapshot) snapshot = NULL;
    g_autoptr(GError) problem = NULL;
    const BerthSnapshotWatch watch = {{on_progress, &checkpoint}, on_notice, &checkpoint};
    if (!berth_held_connect(&held, berth, distro, error))
        return false;
    bool taken = berth_manage_checkpoint(berth->registry, claim, distro, berth_held_disk(&held),
                                         &watch, &snapshot, &problem);
    if (!taken) {
        berth_held_end(&held, &report->pause_usec, NULL);
        g_propagate_error(error, checkpoint.problem != NULL ? g_steal_pointer(&checkpoint.problem)
                                                            : g_steal_pointer(&problem));
        return false;
    }
    report->tag = g_strdup(snapshot->tag);
    return berth_held_end(&held, &report->pause_usec, error);
}

static GArray *measure(const BerthDistro *distro, const GPtrArray *snapshots)
{
    GArray *sizes = g_array_new(FALSE, TRUE, sizeof(guint64));
    for (guint i = 0; i < snapshots->len; i++) {
        g_autofree char *file = berth_snapshot_file(snapshots->pdata[i], distro->disk);
        struct stat st;
        guint64 size = stat(file, &st) == 0 ? (guint64)st.st_blocks * STAT_BLOCK : 0;
        g_array_append_val(sizes, size);
    }
    return sizes;
}

/* Remove the oldest checkpoints that are too many. */
static bool prune(BerthRegistry *registry, BerthClaim *claim, const BerthDistro *distro,
                  const BerthCheckpointPlan *plan, GError **error)
{
    g_autoptr(GPtrArray) snapshots = berth_registry_snapshots(registry, distro, error);
    if (snapshots == NULL)
        return false;
    g_autoptr(GArray) sizes = measure(distro, snapshots);
    g_autoptr(GPtrArray) excess = berth_checkpoint_excess(plan, snapshots, sizes);
    g_ptr_array_add(excess, NULL);
    return berth_manage_remove_snapshots(registry, claim, distro,
                                         (const char *const *)excess->pdata, error);
}

/* False: it is too early, or @error. */
static bool is_time(BerthRegistry *registry, const BerthDistro *distro,
                    const BerthCheckpointPlan *plan, BerthCheckpointReport *report, GError **error)
{
    g_autoptr(GPtrArray) snapshots = berth_registry_snapshots(registry, distro, error);
    if (snapshots == NULL)
        return false;
    gint64 left = berth_checkpoint_left(plan, snapshots, g_get_real_time());
    report->outcome = BERTH_CHECKPOINT_EARLY;
    report->left_sec = (guint)((left + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC);
    return left == 0;
}

/* Claim the distro @id. NULL without @error: another command works on it. */
static BerthClaim *claim_distro(Berth *berth, const char *id, BerthDistro **ret_distro,
                                GError **error)
{
    g_autoptr(GError) problem = NULL;
    BerthRegistry *registry = berth_handle_registry(berth, error);
    g_autoptr(BerthDistro) found =
        registry != NULL ? berth_registry_find_by_id(registry, id, error) : NULL;
    if (found == NULL)
        return NULL;
    BerthClaim *claim =
        berth_handle_claim(berth, found->name, BERTH_WORK_CHECKPOINT, ret_distro, &problem);
    if (claim == NULL && strcmp(berth_error_id(problem), "distro.busy") != 0)
        g_propagate_error(error, g_steal_pointer(&problem));
    return claim;
}

bool berth_checkpoint_take(Berth *berth, const char *id, const BerthCheckpointPlan *plan,
                           BerthCheckpointReport *ret_report, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(BerthDistro) distro = NULL;
    BerthCheckpointReport report = {.outcome = BERTH_CHECKPOINT_BUSY};
    g_autoptr(BerthClaim) claim = claim_distro(berth, id, &distro, &problem);
    if (claim != NULL && is_time(berth->registry, distro, plan, &report, &problem) &&
        check_size(distro, plan, &problem) && copy(berth, claim, distro, &report, &problem) &&
        prune(berth->registry, claim, distro, plan, &problem))
        report.outcome = BERTH_CHECKPOINT_TAKEN;
    if (problem != NULL) {
        berth_checkpoint_report_clear(&report);
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    *ret_report = report;
    return true;
}

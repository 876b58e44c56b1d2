/* SPDX-License-Identifier: MIT */
#include "snapshots.h"

#include "held.h"
#include "memory.h"
#include "stop.h"

#include "base/error.h"
#include "instance/client/runtime.h"
#include "park/park_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define STAT_BLOCK G_GUINT64_CONSTANT(512) /* the unit of st_blocks on every file system */

/* --- taking ----------------------------------------------------------------------------------- */

/* Say how long the distro did nothing because of the snapshot. */
static void notice_pause(const BerthDistro *distro, const BerthSnapshotWatch *watch, gint64 usec)
{
    g_autofree char *line =
        g_strdup_printf("%s stood still for %.2f s", distro->name, (double)usec / G_USEC_PER_SEC);
    if (watch->notice != NULL && usec > 0)
        watch->notice(line, watch->user_data);
}

/* Wait until the distro goes on, also if there is no @snapshot. */
static bool go_on(BerthHeld *held, const BerthSnapshot *snapshot, const BerthSnapshotWatch *watch,
                  GError **error)
{
    g_autoptr(GError) problem = NULL;
    gint64 pause_usec;
    if (berth_held_end(held, &pause_usec, &problem)) {
        notice_pause(held->distro, watch, snapshot != NULL ? pause_usec : 0);
        return true;
    }
    if (snapshot != NULL)
        g_prefix_error(&problem, "the snapshot %s was taken, but: ", snapshot->tag);
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

bool berth_snapshots_take(Berth *berth, const char *name, const char *tag,
                          const BerthSnapshotWatch *watch, char **ret_tag, GError **error)
{
    if (tag != NULL && !berth_snapshot_check_tag(tag, error))
        return false;
    g_autoptr(BerthDistro) distro = NULL;
    g_autoptr(BerthSnapshot) snapshot = NULL;
    g_auto(BerthHeld) held = BERTH_HELD_INIT;
    held.keeps_memory = watch->memory;
    g_autoptr(BerthClaim) claim =
        berth_handle_claim(berth, name, BERTH_WORK_SNAPSHOT, &distro, error);
    if (claim == NULL || berth_handle_runtime(berth, error) == NULL ||
        !berth_held_connect(&held, berth, distro, error))
        return false;
    bool taken = berth_manage_snapshot(berth->registry, claim, distro, tag, berth_held_disk(&held),
                                       watch, &snapshot, error);
    if (!go_on(&held, snapshot, watch, taken ? error : NULL) || !taken)
        return false;
    *ret_tag = g_strdup(snapshot->tag);
    return true;
}

bool berth_snapshots_remove(Berth *berth, const char *name, const char *const *tags, GError **error)
{
    g_autoptr(BerthDistro) distro = NULL;
    g_autoptr(BerthClaim) claim =
        berth_handle_claim(berth, name, BERTH_WORK_SNAPSHOT, &distro, error);
    return claim != NULL &&
           berth_manage_remove_snapshots(berth->registry, claim, distro, tags, error);
}

/* --- lists --- */

void berth_snapshot_listing_free(BerthSnapshotListing *listing)
{
    g_free(listing->distro);
    g_free(listing->tag);
    g_free(listing);
}

static BerthSnapshotListing *list_one(const BerthDistro *distro, const BerthSnapshot *snapshot)
{
    g_autofree char *file = berth_snapshot_file(snapshot, distro->disk);
    struct stat st;
    bool found = stat(file, &st) == 0;
    BerthSnapshotListing *listing = g_new0(BerthSnapshotListing, 1);
    listing->distro = g_strdup(distro->name);
    listing->tag = g_strdup(snapshot->tag);
    listing->taken_usec = snapshot->taken_usec;
    listing->automatic = snapshot->automatic;
    listing->checkpoint = berth_snapshot_is_checkpoint(snapshot);
    listing->missing = !found;
    listing->size = found ? (guint64)st.st_size : 0;
    listing->used = found ? (guint64)st.st_blocks * STAT_BLOCK : 0;
    listing->memory = berth_memory_used(file);
    return listing;
}

static GPtrArray *find_distros(Berth *berth, const char *name, GError **error)
{
    const char *const names[] = {name, NULL};
    return berth_handle_find_all(berth, name != NULL ? names : NULL, error);
}

GPtrArray *berth_snapshots_list(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) distros = find_distros(berth, name, error);
    g_autoptr(GPtrArray) snapshots =
        distros != NULL ? berth_registry_snapshots(berth->registry, NULL, error) : NULL;
    if (snapshots == NULL)
        return NULL;
    GPtrArray *listings =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_snapshot_listing_free);
    for (guint i = 0; i < distros->len; i++)
        for (guint j = 0; j < snapshots->len; j++) {
            const BerthDistro *distro = distros->pdata[i];
            const BerthSnapshot *snapshot = snapshots->pdata[j];
            if (strcmp(snapshot->distro, distro->id) == 0)
                g_ptr_array_add(listings, list_one(distro, snapshot));
        }
    return listings;
}

static const BerthDistro *find_by_id(const GPtrArray *distros, const char *id)
{
    for (guint i = 0; i < distros->len; i++)
        if (strcmp(((const BerthDistro *)distros->pdata[i])->id, id) == 0)
            return distros->pdata[i];
    return NULL;
}

GHashTable *berth_snapshots_measure(BerthRegistry *registry, const GPtrArray *distros,
                                    GError **error)
{
    g_autoptr(GPtrArray) snapshots = berth_registry_snapshots(registry, NULL, error);
    if (snapshots == NULL)
        return NULL;
    GHashTable *sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; i < snapshots->len; i++) {
        const BerthSnapshot *snapshot = snapshots->pdata[i];
        const BerthDistro *distro = find_by_id(distros, snapshot->distro);
        g_autofree char *file = distro != NULL ? berth_snapshot_file(snapshot, distro->disk) : NULL;
        struct stat st;
        if (file == NULL || stat(file, &st) < 0)
            continue;
        guint64 *sum = g_hash_table_lookup(sums, snapshot->distro);
        if (sum == NULL) {
            sum = g_new0(guint64, 1);
            g_hash_table_insert(sums, g_strdup(snapshot->distro), sum);
        }
        *sum += (guint64)st.st_blocks * STAT_BLOCK + berth_memory_used(file);
    }
    return sums;
}

/* --- restoring --- */

/* The last of @snapshots that no restore made. */
static const BerthSnapshot *find_last(const GPtrArray *snapshots, const BerthDistro *distro,
                                      GError **error)
{
    for (guint i = snapshots->len; i > 0; i--) {
        const BerthSnapshot *snapshot = snapshots->pdata[i - 1];
        if (!berth_snapshot_is_replaced(snapshot))
            return snapshot;
    }
    g_autofree char *hint =
        g_strdup_printf("take one before the next risky step: berth snapshot %s", distro->name);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "snapshot.none", hint, "%s has no snapshot",
                    distro->name);
    return NULL;
}

const BerthSnapshot *berth_snapshots_choose(const GPtrArray *snapshots, const BerthDistro *distro,
                                            const char *tag, GError **error)
{
    return tag != NULL ? berth_manage_find_snapshot(snapshots, distro, tag, error)
                       : find_last(snapshots, distro, error);
}

/* Make sure that the claimed @distro is stopped, if asked by powering it off. */
static bool ensure_stopped(Berth *berth, const BerthDistro *distro, bool terminate, GError **error)
{
    const char *const names[] = {distro->name, NULL};
    const BerthStopOptions orderly = {.grace_sec = -1};
    return (!terminate || berth_stop_distros(berth, names, &orderly, error)) &&
           berth_runtime_require_stopped(berth->layout->runtime, distro->id, distro->name, error);
}

/* The memory of what @distro was before fits no more; put that of @snapshot in its place. */
static bool restore_memory(Berth *berth, const BerthDistro *distro, const BerthSnapshot *snapshot,
                           const BerthSnapshotWatch *watch, bool *ret_restored, GError **error)
{
    g_autofree char *file = berth_snapshot_file(snapshot, distro->disk);
    g_autofree char *reason = NULL;
    if (!watch->memory || !berth_memory_restore(berth, distro, file, ret_restored, &reason, error))
        return !watch->memory;
    g_autofree char *line =
        g_strdup_printf("%s has the disk of %s, but not its memory: %s since it was taken",
                        distro->name, snapshot->tag, reason);
    if (reason != NULL && watch->notice != NULL)
        watch->notice(line, watch->user_data);
    return true;
}

static bool forget_memory(const BerthDistro *distro, GError **error)
{
    if (berth_park_remove(distro->disk))
        return true;
    berth_error_set_errno(error, errno, "restore.memory", "%s.parked", distro->disk);
    return false;
}

bool berth_snapshots_restore(Berth *berth, const char *name, const BerthRestoreOptions *options,
                             BerthRestoreReport *ret_report, GError **error)
{
    g_autoptr(BerthDistro) distro = NULL;
    g_autoptr(BerthClaim) claim =
        berth_handle_claim(berth, name, BERTH_WORK_RESTORE, &distro, error);
    g_autoptr(GPtrArray) snapshots =
        claim != NULL ? berth_registry_snapshots(berth->registry, distro, error) : NULL;
    const BerthSnapshot *snapshot =
        snapshots != NULL ? berth_snapshots_choose(snapshots, distro, options->tag, error) : NULL;
    BerthRestored restored = {0};
    bool memory = false;
    if (snapshot == NULL || !ensure_stopped(berth, distro, options->terminate, error) ||
        !berth_manage_restore(berth->registry, claim, distro, snapshot, &options->watch, &restored,
                              error))
        return false;
    g_autofree char *kept = restored.kept;
    if ((!restored.unchanged && !forget_memory(distro, error)) ||
        !restore_memory(berth, distro, snapshot, &options->watch, &memory, error))
        return false;
    restored.kept = g_steal_pointer(&kept);
    *ret_report =
        (BerthRestoreReport){g_strdup(snapshot->tag), snapshot->taken_usec, restored, memory};
    return true;
}

/* SPDX-License-Identifier: MIT */
#include "snapshots.h"

#include "reach.h"
#include "stop.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/runtime.h"
#include "instance/control/hello.h"

#include <string.h>
#include <sys/stat.h>

#define HOLD_ANSWER_SEC 90 /* the keeper answers sooner, however slow the guest is */
#define STAT_BLOCK      G_GUINT64_CONSTANT(512) /* the unit of st_blocks on every file system */

/* --- taking ----------------------------------------------------------------------------------- */

/* One snapshot. */
typedef struct {
    Berth *berth;
    const BerthDistro *distro;
    BerthClaim *claim;
    const char *tag;
    const BerthSnapshotWatch *watch;
    int keeper; /* the connection, which holds the distro; or -1 */
    bool released;
} Taking;

static bool release(gpointer user_data, GError **error)
{
    Taking *taking = user_data;
    taking->released = true;
    return berth_request_release(taking->keeper, error);
}

static bool take(Taking *taking, BerthSnapshot **ret_snapshot, GError **error)
{
    const BerthSnapshotHold hold = {release, taking};
    return berth_manage_snapshot(taking->berth->registry, taking->claim, taking->distro,
                                 taking->tag, taking->keeper >= 0 ? &hold : NULL, taking->watch,
                                 ret_snapshot, error);
}

/* Say how long the distro did nothing because of the snapshot. */
static void notice_pause(const Taking *taking, gint64 usec)
{
    g_autofree char *line = g_strdup_printf("%s stood still for %.2f s", taking->distro->name,
                                            (double)usec / G_USEC_PER_SEC);
    if (taking->watch->notice != NULL)
        taking->watch->notice(line, taking->watch->user_data);
}

/* Wait until the distro, which was awake, goes on; it may also be stopped then. */
static bool await_awake(const Taking *taking, const BerthSnapshot *snapshot, GError **error)
{
    g_autoptr(GError) problem = NULL;
    if (berth_request_wait(taking->keeper, &taking->berth->waiting, &problem) ||
        berth_runtime_is_gone(problem))
        return true;
    if (snapshot != NULL)
        g_prefix_error(&problem, "the snapshot %s was taken, but: ", snapshot->tag);
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* Take the snapshot while the distro is held, and let it go on, also if there is none. */
static bool take_held(Taking *taking, BerthSnapshot **ret_snapshot, GError **error)
{
    g_autoptr(BerthSnapshot) snapshot = NULL;
    bool was_awake;
    if (!berth_manage_check_snapshot(taking->berth->registry, taking->distro, taking->tag, error) ||
        !berth_request_hold(taking->keeper, &taking->berth->waiting, &was_awake, error))
        return false;
    gint64 began_usec = g_get_monotonic_time();
    bool taken = take(taking, &snapshot, error);
    if (!taking->released)
        berth_request_release(taking->keeper, NULL);
    if (was_awake && !await_awake(taking, snapshot, taken ? error : NULL))
        return false;
    if (!taken)
        return false;
    if (was_awake)
        notice_pause(taking, g_get_monotonic_time() - began_usec);
    *ret_snapshot = g_steal_pointer(&snapshot);
    return true;
}

static bool take_running(Taking *taking, BerthSnapshot **ret_snapshot, GError **error)
{
    g_autoptr(GError) problem = NULL;
    berth_autofd int keeper = berth_reach_connect(taking->berth, taking->distro, &problem);
    bool ok = false;
    if (keeper >= 0) {
        berth_reach_limit_waiting(keeper, HOLD_ANSWER_SEC);
        taking->keeper = keeper;
        ok = take_held(taking, ret_snapshot, &problem);
    }
    if (ok)
        return true;
    berth_hello_name_distro(&problem, taking->distro->name);
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
    g_autoptr(BerthClaim) claim =
        berth_handle_claim(berth, name, BERTH_WORK_SNAPSHOT, &distro, error);
    if (claim == NULL || berth_handle_runtime(berth, error) == NULL)
        return false;
    g_autoptr(GError) problem = NULL;
    Taking taking = {berth, distro, claim, tag, watch, -1, false};
    bool stopped =
        berth_runtime_require_stopped(berth->layout->runtime, distro->id, distro->name, &problem);
    if (!stopped && strcmp(berth_error_id(problem), "instance.running") != 0) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (!(stopped ? take(&taking, &snapshot, error) : take_running(&taking, &snapshot, error)))
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
    listing->missing = !found;
    listing->size = found ? (guint64)st.st_size : 0;
    listing->used = found ? (guint64)st.st_blocks * STAT_BLOCK : 0;
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
        *sum += (guint64)st.st_blocks * STAT_BLOCK;
    }
    return sums;
}

/* --- restoring --- */

/* The last of @snapshots that the user took. */
static const BerthSnapshot *find_last(const GPtrArray *snapshots, const BerthDistro *distro,
                                      GError **error)
{
    for (guint i = snapshots->len; i > 0; i--) {
        const BerthSnapshot *snapshot = snapshots->pdata[i - 1];
        if (!snapshot->automatic)
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
    BerthRestored restored;
    if (snapshot == NULL || !ensure_stopped(berth, distro, options->terminate, error) ||
        !berth_manage_restore(berth->registry, claim, distro, snapshot, &options->watch, &restored,
                              error))
        return false;
    *ret_report = (BerthRestoreReport){g_strdup(snapshot->tag), snapshot->taken_usec, restored};
    return true;
}

/* SPDX-License-Identifier: MIT
 *
 * snapshots — takes, lists, removes and restores snapshots of distros.
 *
 * Errors beside those of each verb: "distro.*"; "distro.busy" if another command works on the
 * distro.
 */
#pragma once

#include "handle.h"

#include "manage/restore.h"

G_BEGIN_DECLS

/* Take a snapshot of @name. A running distro stands still meanwhile. @tag NULL: named by the time.
 * *@ret_tag: free with g_free. Errors: "snapshot.*", "suspend.*". */
bool berth_snapshots_take(Berth *berth, const char *name, const char *tag,
                          const BerthSnapshotWatch *watch, char **ret_tag, GError **error);

/* Remove the snapshots @tags of @name, which may run; all or none. Errors:
 * "snapshot.not-found". */
bool berth_snapshots_remove(Berth *berth, const char *name, const char *const *tags,
                            GError **error);

typedef struct {
    char *distro; /* name */
    char *tag;
    gint64 taken_usec;
    bool automatic;
    bool checkpoint; /* the automatic ones that no restore made */
    bool missing;   /* its file is gone */
    guint64 size;   /* of the disk, as the guest saw it */
    guint64 used;   /* on the host, including blocks that it shares */
    guint64 memory; /* of its memory, on the host; 0: it has none */
} BerthSnapshotListing;

void berth_snapshot_listing_free(BerthSnapshotListing *listing);

/* The snapshots of @name (NULL: of all distros), BerthSnapshotListing *, by distro, oldest first;
 * free with g_ptr_array_unref. */
GPtrArray *berth_snapshots_list(Berth *berth, const char *name, GError **error);

/* The bytes on the host of the snapshots of each distro: id -> guint64 *, none of those without.
 * Free with g_hash_table_unref. */
GHashTable *berth_snapshots_measure(BerthRegistry *registry, const GPtrArray *distros,
                                    GError **error);

/* Find the snapshot @tag of @snapshots of @distro; NULL: the last one that was not made by a
 * restore. Errors: "snapshot.not-found", "snapshot.none". */
const BerthSnapshot *berth_snapshots_choose(const GPtrArray *snapshots, const BerthDistro *distro,
                                            const char *tag, GError **error);

typedef struct {
    const char *tag; /* NULL: the last one that was not made by a restore */
    bool terminate;  /* power the distro off first */
    BerthSnapshotWatch watch;
} BerthRestoreOptions;

typedef struct {
    char *tag; /* g_free */
    gint64 taken_usec;
    BerthRestored restored; /* kept: g_free */
    bool memory;            /* the next start loads the memory of the snapshot */
} BerthRestoreReport;

/* Give the stopped distro @name the disk of a snapshot. Errors: "snapshot.not-found",
 * "snapshot.none", "instance.running", "restore.*". */
bool berth_snapshots_restore(Berth *berth, const char *name, const BerthRestoreOptions *options,
                             BerthRestoreReport *ret_report, GError **error);

G_END_DECLS

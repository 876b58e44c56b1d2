/* SPDX-License-Identifier: MIT
 *
 * snapshot — takes and removes snapshots of a distro's disk.
 *
 * The copy gets its name only when it is complete, and is listed in the claim before: whenever the
 * command is killed, the next one removes a file without a row. The row is written last.
 */
#pragma once

#include "claim.h"
#include "hold.h"
#include "work.h"

G_BEGIN_DECLS

typedef struct {
    BerthWatch work;
    void (*notice)(const char *line, gpointer user_data); /* may be NULL */
    gpointer user_data;
    bool memory; /* also the memory of a distro that runs or is suspended, where there is one */
} BerthSnapshotWatch;

/* Take a snapshot of @distro, which the caller has claimed with @claim and found stopped; or, with
 * @hold, running. @tag NULL: named by the local time. *@ret_snapshot: free with
 * berth_snapshot_free. Errors: "snapshot.tag"; BERTH_ERROR_EXISTS, "snapshot.exists"; those of
 * snapshot_copy.h, hold.h and disk/file/temp.h, "snapshot.*". */
bool berth_manage_snapshot(BerthRegistry *registry, BerthClaim *claim, const BerthDistro *distro,
                           const char *tag, const BerthDiskHold *hold,
                           const BerthSnapshotWatch *watch, BerthSnapshot **ret_snapshot,
                           GError **error);

/* The same, as a checkpoint (model/checkpoint.h). */
bool berth_manage_checkpoint(BerthRegistry *registry, BerthClaim *claim, const BerthDistro *distro,
                             const BerthDiskHold *hold, const BerthSnapshotWatch *watch,
                             BerthSnapshot **ret_snapshot, GError **error);

/* Remove the snapshots @tags of @distro, which the caller has claimed with @claim; it may run. None
 * is removed if one does not exist. Errors: BERTH_ERROR_NOT_FOUND, "snapshot.not-found". */
bool berth_manage_remove_snapshots(BerthRegistry *registry, BerthClaim *claim,
                                   const BerthDistro *distro, const char *const *tags,
                                   GError **error);

/* Find the snapshot @tag of @distro in @snapshots. Errors: "snapshot.not-found". */
const BerthSnapshot *berth_manage_find_snapshot(const GPtrArray *snapshots,
                                                const BerthDistro *distro, const char *tag,
                                                GError **error);

/* Open the file of @snapshot for reading; close-on-exec. -1 on error. Errors:
 * BERTH_ERROR_NOT_FOUND,
 * "<step>.missing"; errno's, "<step>.*". */
int berth_manage_open_snapshot(const BerthDistro *distro, const BerthSnapshot *snapshot,
                               const char *step, GError **error);

/* List the files of all snapshots of @distro in @claim, before their rows are removed. */
bool berth_manage_claim_snapshots(BerthRegistry *registry, BerthClaim *claim,
                                  const BerthDistro *distro, GError **error);

G_END_DECLS

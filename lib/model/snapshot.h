/* SPDX-License-Identifier: MIT
 *
 * snapshot — a copy of a distro's disk at one time: one row of the registry, as a value.
 *
 * Its file is beside the disk and named after it, "disk.ext4@20261130T011530.123456Z", so that it
 * can share blocks with the disk, and that a moved disk needs no other row. The tag is what the
 * user calls it; only the registry has it.
 */
#pragma once

#include "distro.h"

G_BEGIN_DECLS

/* The tag of the snapshot that a restore makes of what it replaces. */
#define BERTH_SNAPSHOT_BEFORE_RESTORE "before-restore"

/* How the tags of checkpoints begin, which berth takes by itself (checkpoint.h). */
#define BERTH_SNAPSHOT_CHECKPOINT "auto-"

typedef struct {
    char *distro;      /* id */
    char *tag;         /* unique for the distro, compared without case */
    char *suffix;      /* of the file; unique for the distro, never changes */
    gint64 taken_usec; /* real time */
    bool automatic;    /* a checkpoint (by its tag), or made by a restore: the next one replaces
                          that */
} BerthSnapshot;

/* A snapshot of @distro that is taken at @taken_usec; @tag NULL: the local time, "20261130-011530".
 * Free with berth_snapshot_free, which accepts NULL. */
BerthSnapshot *berth_snapshot_new(const BerthDistro *distro, const char *tag, gint64 taken_usec);
void berth_snapshot_free(BerthSnapshot *snapshot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthSnapshot, berth_snapshot_free)

/* A checkpoint of @distro, named by the local time: "auto-20261130-011530". */
BerthSnapshot *berth_snapshot_new_checkpoint(const BerthDistro *distro, gint64 taken_usec);

/* Whether berth took it by itself; or a restore made it of what it replaced. A user's snapshot is
 * neither, whatever its tag. */
bool berth_snapshot_is_checkpoint(const BerthSnapshot *snapshot);
bool berth_snapshot_is_replaced(const BerthSnapshot *snapshot);

/* Whether the user may call a snapshot @tag: as distros are called, but not before-restore.
 * Errors: BERTH_ERROR_INVALID, "snapshot.tag". */
bool berth_snapshot_check_tag(const char *tag, GError **error);

/* The path of its file beside @disk. Free with g_free. */
char *berth_snapshot_file(const BerthSnapshot *snapshot, const char *disk);

/* The one called @tag of @snapshots (BerthSnapshot *), or NULL. */
const BerthSnapshot *berth_snapshot_find(const GPtrArray *snapshots, const char *tag);

G_END_DECLS

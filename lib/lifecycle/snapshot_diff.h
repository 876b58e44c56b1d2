/* SPDX-License-Identifier: MIT
 *
 * snapshot_diff — what a distro changed in its files between two snapshots, or since one.
 */
#pragma once

#include "handle.h"

#include "manage/work.h"

G_BEGIN_DECLS

/* Words as in berth_snapshot.h, valid during the call. */
typedef struct {
    const char *change;
    const char *type;
    const char *path;           /* absolute in the distro; any bytes */
    const char *const *aspects; /* NULL-terminated */
} BerthFileDifference;

typedef struct {
    BerthWatch work;
    bool (*difference)(const BerthFileDifference *difference,
                       gpointer user_data); /* false: cancel */
    gpointer user_data;
} BerthFilesWatch;

typedef struct {
    char *tag; /* NULL: the disk */
    gint64 taken_usec;
} BerthDiffEnd;

typedef struct {
    BerthDiffEnd old, new; /* tags: g_free */
} BerthDiffReport;

/* Compare the snapshot @old_tag of @name (NULL: the last one that was not made by a restore) with
 * @new_tag (NULL: with the disk; the distro must be stopped). Errors: "distro.*";
 * "snapshot.not-found", "snapshot.none"; "instance.running", "diff.*". */
bool berth_snapshots_diff(Berth *berth, const char *name, const char *old_tag, const char *new_tag,
                          const BerthFilesWatch *watch, BerthDiffReport *ret_report,
                          GError **error);

G_END_DECLS

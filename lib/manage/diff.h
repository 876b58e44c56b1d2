/* SPDX-License-Identifier: MIT
 *
 * diff — finds the files that two disks of a distro, snapshots or its own, do not have in common.
 *
 * A sandboxed berth-image (worker.h) parses both file systems, which the guest controls, and
 * compares them (disk/image/diff.h). Its records are checked (disk/file/difference.h).
 */
#pragma once

#include "disk/file/difference.h"
#include "model/distro.h"
#include "store/layout.h"
#include "work.h"

G_BEGIN_DECLS

typedef struct {
    int fd;           /* borrowed; nothing writes to the file meanwhile */
    const char *name; /* a snapshot's tag, for messages; NULL: the distro's own disk */
} BerthDiffDisk;

/* Called for each difference in the order of paths, a directory before its content. */
typedef struct {
    BerthWatch work;
    BerthDifferenceFunc difference;
    gpointer user_data;
} BerthDiffWatch;

/* Compare two disks of @distro. Errors: those of disk/image/diff.h and of worker.h ("diff.*");
 * "diff.unclean" for a disk whose journal must be replayed first; those of the function. */
bool berth_manage_diff(const BerthLayout *layout, const BerthDistro *distro,
                       const BerthDiffDisk *old, const BerthDiffDisk *new,
                       const BerthDiffWatch *watch, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * snapshot_copy — copies a disk into a new file beside it, for lib/manage only.
 *
 * Where the file system has no reflinks, the copy writes all data: the caller's notice says how
 * much before it begins, and a copy that does not fit is refused before it writes anything.
 *
 * A copy keeps the time of the disk's last write. So a disk and a snapshot that have the same time
 * and size have the same content, since every later write changes the time.
 */
#pragma once

#include "disk/file/temp.h"
#include "snapshot.h"

G_BEGIN_DECLS

/* Copy the file @input at @path into the empty @temp. @work ("snapshot") is the prefix of error
 * ids. Errors: BERTH_ERROR_NO_SPACE, "<work>.no-space"; those of disk/file/copy.h. */
bool berth_snapshot_copy(int input, const char *path, const BerthTemp *temp, const char *work,
                         const BerthSnapshotWatch *watch, GError **error);

/* Whether the open files have the same content. */
bool berth_snapshot_is_same(int one, int other);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * copy — copies a disk's content into another file.
 *
 * On a file system with reflinks (btrfs, XFS, bcachefs) the copy shares its blocks with the
 * original until one of them changes (FICLONE). Elsewhere berth_copy() copies the data only, in the
 * kernel where possible, and preserves holes.
 *
 * Takes descriptors only and syncs nothing. Blocking.
 *
 * Errors: errno's, "<work>.copy.*"; BERTH_ERROR_CANCELLED, "<work>.cancelled".
 */
#pragma once

#include "base/progress.h"

G_BEGIN_DECLS

typedef struct {
    bool shared;   /* by FICLONE */
    guint64 bytes; /* of data copied, holes not counted */
} BerthCopyReport;

/* Make the empty @output share @input's blocks; false where the file system cannot. */
bool berth_copy_share(int input, int output);

/* The bytes that a copy of @input would write where blocks cannot be shared. 0, or an errno. */
int berth_copy_measure(int input, guint64 *ret_bytes);

/* Copy @input, size included, into the empty file @output. @work is the prefix of error ids, @what
 * names the input in messages. @progress and @ret_report may be NULL. */
bool berth_copy(int input, int output, const char *work, const char *what,
                BerthProgressFunc progress, gpointer user_data, BerthCopyReport *ret_report,
                GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * copy — a disk's content into another file.
 *
 * Where both lie on a file system that can (btrfs, XFS, bcachefs), the copy shares its blocks with
 * the original until one of them changes (FICLONE): it takes no time and no space. Elsewhere only
 * the data is copied, in the kernel where it can do that; holes stay holes.
 *
 * Descriptors only, nothing is synced. Blocking.
 *
 * Errors: errno's, "<work>.copy.*"; BERTH_ERROR_CANCELLED, "<work>.cancelled".
 */
#pragma once

#include "base/progress.h"

G_BEGIN_DECLS

typedef struct {
    bool shared;   /* by FICLONE */
    guint64 bytes; /* of data that was copied */
} BerthCopyReport;

/* Make the empty file @output what @input is, its size included. @work begins the ids of errors,
 * @what is the input in messages. @progress and @ret_report may be NULL. */
bool berth_copy(int input, int output, const char *work, const char *what,
                BerthProgressFunc progress, gpointer user_data, BerthCopyReport *ret_report,
                GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * strip — an archive whose root file system lies below one directory, taken as if it did not.
 *
 * The first directory at the archive's top, named or implied, is the one. Entries below it lose it
 * from their path, and hard links from their target. Files beside it (lists, signatures) are left
 * out and counted; a second directory beside it is refused, since nothing says which is meant.
 *
 * Works on normalised entries, one at a time: nothing has to be known of what follows. Errors:
 * BERTH_ERROR_INVALID, "import.strip-root.several", "import.strip-root.link"; the messages do not
 * name the entry.
 */
#pragma once

#include "entry.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    char *directory; /* or NULL: not seen yet */
    guint left_out;
} BerthStrip;

void berth_strip_clear(BerthStrip *strip);

/* Give @entry the path it is to have. *ret_skip: it is to have none. */
bool berth_strip_apply(BerthStrip *strip, BerthEntry *entry, bool *ret_skip, GError **error);

G_END_DECLS

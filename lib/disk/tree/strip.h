/* SPDX-License-Identifier: MIT
 *
 * strip — strips the top directory from an archive whose root file system lies below one.
 *
 * The first top-level directory, named or implied, is stripped from the paths below it and from
 * hard link targets. Top-level files (lists, signatures) are left out and counted; a second
 * top-level directory is an error, since the choice is ambiguous.
 *
 * Works on normalised entries, one at a time, without lookahead. Errors: BERTH_ERROR_INVALID,
 * "import.strip-root.several", "import.strip-root.link"; the messages do not name the entry.
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

/* Rewrite the path of @entry. *ret_skip: leave the entry out. */
bool berth_strip_apply(BerthStrip *strip, BerthEntry *entry, bool *ret_skip, GError **error);

G_END_DECLS

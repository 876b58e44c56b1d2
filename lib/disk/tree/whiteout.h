/* SPDX-License-Identifier: MIT
 *
 * whiteout — applies the whiteout entries of an image layer.
 *
 * OCI image specification, "whiteouts": ".wh.NAME" removes NAME of the layers below, and
 * ".wh..wh..opq" all that its directory has below. Other names that begin with ".wh..wh." are
 * leftovers of aufs and mean nothing. Call for layers only: elsewhere these are ordinary names.
 *
 * Errors: BERTH_ERROR_INVALID, "import.layer.bad-whiteout"; those of tree.h.
 */
#pragma once

#include "tree.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Apply the whiteout at the normalised @path to @tree. *ret_applied: @path was a whiteout or a
 * leftover of aufs; do not add it. */
bool berth_whiteout_apply(BerthTree *tree, const char *path, bool *ret_applied, GError **error);

G_END_DECLS

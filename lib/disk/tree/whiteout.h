/* SPDX-License-Identifier: MIT
 *
 * whiteout — entries of an image's layer that stand for what is not there.
 *
 * OCI image specification, "whiteouts": ".wh.NAME" removes NAME of the layers below, and
 * ".wh..wh..opq" all that its directory has below. Other names that begin with ".wh..wh." are
 * leftovers of aufs and mean nothing. Outside layers these are ordinary names: never call this
 * there.
 *
 * Errors: BERTH_ERROR_INVALID, "import.layer.bad-whiteout"; those of tree.h.
 */
#pragma once

#include "tree.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Do to @tree what the entry at the normalised @path asks for. *ret_applied: it was a whiteout or a
 * leftover, and nothing of that name belongs in the tree. */
bool berth_whiteout_apply(BerthTree *tree, const char *path, bool *ret_applied, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * usage — how many bytes of the host's disk the changes of an overlay take.
 */
#pragma once

#include "overlay.h"

G_BEGIN_DECLS

/* The allocated bytes of all files in the upper tree, each once; records are not counted. The
 * overlay may change meanwhile, and is then counted roughly. A directory that its owner may not
 * read is made readable for a moment if the caller has claimed the overlay, and left out
 * otherwise. 0 or -errno. */
int berth_overlay_usage(const BerthOverlay *overlay, guint64 *ret_bytes);

G_END_DECLS

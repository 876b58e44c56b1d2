/* SPDX-License-Identifier: MIT
 *
 * settled — the list of changes that were accepted or discarded since the last server of the
 * overlay looked: in DIR/settled, so that the next one finds it whenever it starts.
 */
#pragma once

#include "review.h"

G_BEGIN_DECLS

typedef struct {
    char *path;
    BerthChangeKind kind;
    bool is_directory;
    bool accepted; /* else discarded */
} BerthOverlaySettled;

/* Add @change, which is about to be settled: one that is not in the end does no harm. For the
 * process with the claim. Errors: "overlay.settled". */
bool berth_overlay_add_settled(const BerthOverlay *overlay, const BerthOverlayChange *change,
                               bool accepted, GError **error);

/* Empty the list, and return it: BerthOverlaySettled *. Free with g_ptr_array_unref. */
GPtrArray *berth_overlay_take_settled(const BerthOverlay *overlay);

G_END_DECLS

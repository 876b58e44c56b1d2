/* SPDX-License-Identifier: MIT
 *
 * stage — copies of changes that are made before they are accepted, so that others must stand still
 * for a moment only.
 *
 *     look, while nothing changes the overlay; copy, while the guest goes on; look again; accept
 *
 * A copy is current if no file of the change has another ctime, name, size or inode number than
 * when it was looked at before the copy. No program can set a ctime, and look waits for the next
 * tick of the clock, so that each later change has a later one.
 */
#pragma once

#include "review.h"

G_BEGIN_DECLS

/* A stage of @overlay, which is borrowed. The end removes all copies that were not accepted. */
BerthOverlayStage *berth_overlay_stage_new(BerthOverlay *overlay);
void berth_overlay_stage_free(BerthOverlayStage *stage);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthOverlayStage, berth_overlay_stage_free)

/* Find out of which of @changes (BerthOverlayChange *) the stage has a current copy. Nothing else
 * may change the overlay until they are accepted, or this call returns. Returns how much accepting
 * the others would copy, in bytes; a file without contents counts, too. */
guint64 berth_overlay_stage_look(BerthOverlayStage *stage, const GPtrArray *changes);

/* Copy the others. One that changes meanwhile has no current copy then. Errors: errno's,
 * "overlay.accept". */
bool berth_overlay_stage_copy(BerthOverlayStage *stage, GError **error);

G_END_DECLS

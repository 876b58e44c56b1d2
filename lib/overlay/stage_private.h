/* SPDX-License-Identifier: MIT
 *
 * stage_private — what accepting (review.c) uses of a stage.
 */
#pragma once

#include "stage.h"

G_BEGIN_DECLS

/* The directory of the copies, beneath the lower one, which the stage removes at its end with all
 * that is in it: borrowed; or -1. */
int overlay_stage_directory(const BerthOverlayStage *stage);

/* The name in it of the copy of the change at @path that berth_overlay_stage_look found to be
 * current; or NULL. */
const char *overlay_stage_find(const BerthOverlayStage *stage, const char *path);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * review — what an overlay changes of its lower directory, and what becomes of it.
 *
 * A change is about one name: a directory that was added or replaced is one change with all that is
 * in it. Nothing else may change the overlay meanwhile. Functions that return bool set an error:
 * errno's, "overlay.accept.*" or "overlay.discard.*".
 */
#pragma once

#include "overlay.h"

G_BEGIN_DECLS

typedef enum {
    BERTH_CHANGE_ADDED,
    BERTH_CHANGE_MODIFIED,
    BERTH_CHANGE_DELETED,
    BERTH_CHANGE_MODE, /* nothing but the permissions */
} BerthChangeKind;

typedef struct {
    char *path;
    BerthChangeKind kind;
    bool is_directory;
    bool is_conflict; /* the host has changed the same file since */
} BerthOverlayChange;

/* How the names of lower files begin that are in the making, or are about to be removed: the
 * overlay does not show them. */
#define BERTH_OVERLAY_ACCEPTING ".berth-accept-"

/* "added", "modified", "deleted", "mode". */
const char *berth_change_kind_word(BerthChangeKind kind);

/* The changes (BerthOverlayChange *) by path. Free with g_ptr_array_unref. */
GPtrArray *berth_overlay_changes(BerthOverlay *overlay);

/* How old a copy is that the overlay has of a file and the guest has not changed. */
typedef enum {
    BERTH_OVERLAY_CHANGED,  /* there is none: the file was changed, or has no copy */
    BERTH_OVERLAY_CURRENT,  /* what the host has */
    BERTH_OVERLAY_EDITED,   /* the host has changed the file since it was copied */
    BERTH_OVERLAY_REPLACED, /* it has another file there, or none */
} BerthOverlayAge;

/* Compare the copy at @path with the lower file. */
BerthOverlayAge berth_overlay_age(BerthOverlay *overlay, const char *path);

/* The names in directory @path that may be copies that the guest has not changed. Free with
 * g_ptr_array_unref. */
GPtrArray *berth_overlay_copies(BerthOverlay *overlay, const char *path);

/* Drop the copy at @path, which is not current: what the host has is shown. */
int berth_overlay_drop_copy(BerthOverlay *overlay, const char *path);

/* Copy the lower file, which was edited, anew over the copy at @path. As berth_overlay_copy_up. */
int berth_overlay_copy_again(BerthOverlay *overlay, const char *path);

/* Whether another process has a lock of a file of @change: the next server of the lower file would
 * not keep it. */
bool berth_overlay_is_locked(BerthOverlay *overlay, const BerthOverlayChange *change);

typedef struct BerthOverlayStage BerthOverlayStage;

/* Make @change in the lower directory too, and drop it from the overlay. A file is replaced by a
 * rename, so the host sees the old one or the new one. @stage (stage.h), or NULL, may have the
 * copy.
 */
bool berth_overlay_accept(BerthOverlay *overlay, const BerthOverlayChange *change,
                          const BerthOverlayStage *stage, GError **error);

/* Drop @change: what the lower directory has is shown again. */
bool berth_overlay_discard(BerthOverlay *overlay, const BerthOverlayChange *change, GError **error);

G_END_DECLS

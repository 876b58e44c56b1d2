/* SPDX-License-Identifier: MIT
 *
 * layer — the requests of a share whose changes are kept beside it (lib/overlay).
 *
 * Functions that return int return a descriptor or 0, or -errno, unless they say that they return
 * as a system call. All accept nodes of any share.
 */
#pragma once

#include "share_private.h"

#include "overlay/overlay.h"
#include "overlay/review.h"

G_BEGIN_DECLS

/* Give root @root, which is open, the overlay in @dir. Errors: "overlay.open". */
bool share_layer_start(Share *share, guint root, const char *dir, GError **error);

bool share_layer_has(Share *share, fuse_ino_t id);

/* Keep the overlay from copying a file up until the end of the scope, so that what the caller has
 * found out about a name stays true.
 * Not recursive. Evaluates to the overlay of node @id, or NULL. */
BerthOverlay *share_layer_hold(Share *share, fuse_ino_t id);
static inline void share_layer_end(BerthOverlay **overlay)
{
    if (*overlay != NULL)
        berth_overlay_unlock(*overlay);
}
#define SHARE_LAYER_HOLD(share, id)                                                                \
    __attribute__((cleanup(share_layer_end), unused)) BerthOverlay *held_ =                        \
        share_layer_hold(share, id)

/* share_stat of what is shown as @name in @parent, which is open as @fd: where SHARE_LAYER_HOLD is
 * in force, and elsewhere; and of node @id. */
int share_layer_stat_child(Share *share, fuse_ino_t parent, int fd, const char *name,
                           ShareFile *ret_file);
int share_layer_look(Share *share, fuse_ino_t parent, int fd, const char *name,
                     ShareFile *ret_file);
int share_layer_stat_node(Share *share, fuse_ino_t id, int fd, ShareFile *ret_file);

/* Open the file @path with O_PATH. -ESTALE: it is not @key's (NULL: any is right), or @to_change
 * and it is a lower one. */
int share_layer_open(Share *share, BerthOverlay *overlay, const char *path, const BerthNodeKey *key,
                     bool to_change);

/* Node @id is about to be changed, or locked. */
int share_layer_copy_up(Share *share, fuse_ino_t id);

/* The change of the file of node @id was accepted: it is the host's file from now on, or a new copy
 * of it where the guest may write to it. */
void share_layer_adopt(Share *share, fuse_ino_t id);

/* @name is about to be made in @parent. -EEXIST, unless it @may_exist. */
int share_layer_prepare(Share *share, fuse_ino_t parent, const char *name, bool may_exist);

typedef struct {
    fuse_ino_t parent;
    int fd; /* of the parent */
    const char *name;
} ShareEntry;

/* As the system calls unlinkat and renameat2. */
int share_layer_unlink(Share *share, fuse_ino_t parent, int fd, const char *name, int flags);
int share_layer_rename(Share *share, const ShareEntry *from, const ShareEntry *to, unsigned flags);

/* Open the host's directory of node @id: its changes are to be watched. */
int share_layer_lower(Share *share, fuse_ino_t id);

/* Whether the guest does not see what the host does to @name in @parent. */
bool share_layer_hides(Share *share, fuse_ino_t parent, const char *name);

/* The host has changed @name in @parent. Where the guest has a copy of it that it has not changed,
 * show it the host's file again, or a new copy where it may write to it. Returns whether the guest
 * sees the same in a copy: it is to see the event, though the file is hidden. */
bool share_layer_follow(Share *share, fuse_ino_t parent, const char *name);

/* How old the copy is that the guest sees as @name in @parent. */
BerthOverlayAge share_layer_age(Share *share, fuse_ino_t parent, const char *name);

/* The names in directory @id that may be such copies; NULL: it has no overlay. Free with
 * g_ptr_array_unref. */
GPtrArray *share_layer_copies(Share *share, fuse_ino_t id);

/* ---- copies that the guest has not changed (copies.c) ---- */

/* The request @message, checked, is about to be handled: have it see the host's file rather than an
 * old copy. Outside of share_hold_enter. */
void share_copies_before_request(Share *share, const guint8 *message);

/* The copy of node @id is old, and stays for its lock. */
void share_copies_keep_locked(Share *share, guint64 id);

/* A lock of node @id has ended: follow what the host did meanwhile, and have the guest see it. */
void share_copies_unlocked(Share *share, guint64 id);

/* The entries of directory @id, which has an overlay (BerthOverlayEntry *); NULL with errno. */
GPtrArray *share_layer_list(Share *share, fuse_ino_t id);

G_END_DECLS

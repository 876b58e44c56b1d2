/* SPDX-License-Identifier: MIT
 *
 * overlay — a directory of the host with changes that are kept beside it: copy on write.
 *
 *     DIR/upper/        each file that was changed or added, at its path
 *     DIR/records/H/N   what happened to N in the directory whose path has the checksum H
 *     DIR/work/         files in the making; whatever a killed process left is removed at the next
 *                       start
 *     DIR/hold          the socket of a server: hold.h
 *     DIR/settled       changes that were accepted or discarded: settled.h
 *
 * The lower directory is never written. A record is a symbolic link, whose text is a kind and the
 * lower file as it was at the first change (the base):
 *
 *     copy    the upper file hides the lower one; without an upper file the record means nothing
 *     merge   the upper directory and the lower one are shown as one
 *     hide    the lower file is not shown, whether there is an upper one or not
 *
 * Each change writes its record first and then makes one call on the upper tree, so a process that
 * is killed in between leaves the view from before or after the change.
 *
 * A path is relative and has no ".", ".." or "//"; "" is the root, which is always merged.
 * Functions that return int return 0 or -errno. Changes of one overlay
 * take turns; other threads read it between berth_overlay_lock and its unlock.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

G_BEGIN_DECLS

typedef struct BerthOverlay BerthOverlay;

/* Open the overlay in @dir, which is made if it is missing, of the lower directory @lower (O_PATH,
 * which the caller keeps open). Errors: "overlay.open". */
BerthOverlay *berth_overlay_open(const char *dir, int lower, GError **error);
void berth_overlay_free(BerthOverlay *overlay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthOverlay, berth_overlay_free)

/* Become the only one that changes the overlay, until it is freed; waits for another if @wait.
 * Errors: "overlay.busy". */
bool berth_overlay_claim(BerthOverlay *overlay, bool wait, GError **error);

/* End the claim: others may change the overlay. */
void berth_overlay_release(BerthOverlay *overlay);

/* DIR, O_PATH: borrowed. */
int berth_overlay_dir_fd(const BerthOverlay *overlay);

/* The highest descriptor that it has. */
int berth_overlay_last_fd(const BerthOverlay *overlay);

/* Remove what a killed process left. Only for the process that changes the overlay, at its start.
 */
void berth_overlay_clean(BerthOverlay *overlay);

/* Do not remove files that changes drop while the overlay is claimed, but in
 * berth_overlay_free. */
void berth_overlay_defer_removals(BerthOverlay *overlay);

/* No change is completed meanwhile; not recursive, and the thread must make no change itself. */
void berth_overlay_lock(BerthOverlay *overlay);
void berth_overlay_unlock(BerthOverlay *overlay);

/* @path was copied up, and is @fd (O_PATH) from now on. Called with the lock, before others see it.
 */
typedef void (*BerthOverlayCopied)(const char *path, int fd, gpointer user_data);
void berth_overlay_on_copied(BerthOverlay *overlay, BerthOverlayCopied function,
                             gpointer user_data);

/* The files at a path, O_PATH or -1. Both only for a directory. */
typedef struct {
    int upper, lower;
    bool merged; /* a lower file that appears here would be shown */
} BerthOverlayPlace;

void berth_overlay_place_clear(BerthOverlayPlace *place);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthOverlayPlace, berth_overlay_place_clear)

/* Whether a lower file at @path is not shown, or would not be. */
bool berth_overlay_hides(BerthOverlay *overlay, const char *path);

/* Find the file that the overlay shows at @path. -ENOENT, -ENOTDIR: it shows none. */
int berth_overlay_find(BerthOverlay *overlay, const char *path, BerthOverlayPlace *ret_place);

/* The descriptor of what is shown: the upper file if there is one. */
static inline int berth_overlay_shown(const BerthOverlayPlace *place)
{
    return place->upper >= 0 ? place->upper : place->lower;
}

typedef struct {
    char *name;
    guint8 type; /* DT_* */
    guint64 inode;
} BerthOverlayEntry;

/* The entries of directory @path (BerthOverlayEntry *), "." and ".." first; NULL with errno. Free
 * with g_ptr_array_unref. */
GPtrArray *berth_overlay_list(BerthOverlay *overlay, const char *path);

/* The device and inode number that the file had before its first change; false: it is new, or the
 * file system cannot store them. */
bool berth_overlay_origin(int fd, dev_t *ret_device, ino_t *ret_inode);

/* The attribute that stores them, which is not the guest's to see. */
#define BERTH_OVERLAY_ATTRIBUTE "user.berth.origin"

/* ---- changes ---- */

/* Give @path, a file or directory, an upper file with the same contents and attributes, if it has
 * none. -EAGAIN: somebody wrote to the lower file all the time. */
int berth_overlay_copy_up(BerthOverlay *overlay, const char *path);

/* Prepare that @path is made in the upper tree, whose parent is copied up. -EEXIST: it is there. */
int berth_overlay_prepare(BerthOverlay *overlay, const char *path);

/* As unlink and rmdir. */
int berth_overlay_remove(BerthOverlay *overlay, const char *path, bool directory);

/* As renameat2 with @flags. -EXDEV: a directory that is in the lower one too; programs copy it. */
int berth_overlay_rename(BerthOverlay *overlay, const char *from, const char *to, unsigned flags);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * Shares whose changes are kept beside them (lib/overlay). Of another share each function here does
 * no more than the call that it stands for.
 */
#include "layer.h"

#include "base/fd.h"
#include "charge.h"
#include "overlay/hold.h"
#include "overlay/review.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The overlay of node @id and, if @ret_path is not NULL, its path there; NULL: it has none. */
static BerthOverlay *overlay_of(Share *share, fuse_ino_t id, GString *ret_path)
{
    if (!share->has_overlays)
        return NULL;
    g_autoptr(GString) path = ret_path == NULL ? g_string_new(NULL) : NULL;
    GString *found = ret_path != NULL ? ret_path : path;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&share->lock);
    int root = berth_nodes_path(share->nodes, id, found);
    if (g_str_equal(found->str, "."))
        g_string_truncate(found, 0);
    return root >= 0 ? share->roots[root].overlay : NULL;
}

/* The same of @name in @parent. */
static BerthOverlay *overlay_of_child(Share *share, fuse_ino_t parent, const char *name,
                                      GString *path)
{
    g_assert(path != NULL);
    BerthOverlay *overlay = overlay_of(share, parent, path);
    if (path->len > 0)
        g_string_append_c(path, '/');
    g_string_append(path, name);
    return overlay;
}

bool share_layer_has(Share *share, fuse_ino_t id)
{
    return overlay_of(share, id, NULL) != NULL;
}

BerthOverlay *share_layer_hold(Share *share, fuse_ino_t id)
{
    BerthOverlay *overlay = overlay_of(share, id, NULL);
    if (overlay != NULL)
        berth_overlay_lock(overlay);
    return overlay;
}

/* ---- attributes ---- */

static bool is_older(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

/* A change of either directory is one of what is shown. */
static void merge_times(Share *share, int lower, struct stat *attributes)
{
    ShareFile file = {0};
    if (share_stat(share, lower, "", &file) < 0)
        return;
    if (is_older(attributes->st_mtim, file.attributes.st_mtim))
        attributes->st_mtim = file.attributes.st_mtim;
    if (is_older(attributes->st_ctim, file.attributes.st_ctim))
        attributes->st_ctim = file.attributes.st_ctim;
}

/* The number stays the one from before the first change. */
static void keep_number(int fd, ShareFile *file)
{
    BerthNodeKey origin = {0};
    bool may_have = S_ISREG(file->attributes.st_mode) || S_ISDIR(file->attributes.st_mode);
    if (may_have && berth_overlay_origin(fd, &origin.device, &origin.inode))
        file->attributes.st_ino = share_shown_inode(&origin);
}

/* Attributes and key of what is shown at @path. Each name of a lower file with several is a file of
 * its own: a change gives only one of them a copy. */
static int stat_place(Share *share, const char *path, const BerthOverlayPlace *place,
                      ShareFile *ret_file)
{
    int result = share_stat(share, berth_overlay_shown(place), "", ret_file);
    struct stat *attributes = &ret_file->attributes;
    if (result < 0)
        return result;
    if (place->upper >= 0)
        keep_number(place->upper, ret_file);
    else if (!S_ISDIR(attributes->st_mode) && attributes->st_nlink > 1)
        ret_file->key.birth_nsec ^= (guint64)g_str_hash(path) << 32 | g_str_hash(path);
    if (place->upper >= 0 && place->lower >= 0)
        merge_times(share, place->lower, attributes);
    return 0;
}

int share_layer_stat_child(Share *share, fuse_ino_t parent, int fd, const char *name,
                           ShareFile *ret_file)
{
    g_autoptr(GString) path = g_string_new(NULL);
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    BerthOverlay *overlay = overlay_of_child(share, parent, name, path);
    if (overlay == NULL)
        return share_stat(share, fd, name, ret_file);
    int result = berth_overlay_find(overlay, path->str, &place);
    return result < 0 ? result : stat_place(share, path->str, &place, ret_file);
}

int share_layer_look(Share *share, fuse_ino_t parent, int fd, const char *name, ShareFile *ret_file)
{
    SHARE_LAYER_HOLD(share, parent);
    return share_layer_stat_child(share, parent, fd, name, ret_file);
}

int share_layer_stat_node(Share *share, fuse_ino_t id, int fd, ShareFile *ret_file)
{
    g_autoptr(GString) path = g_string_new(NULL);
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    ShareFile shown = {0};
    int result = share_stat(share, fd, "", ret_file);
    BerthOverlay *overlay = overlay_of(share, id, path);
    if (overlay == NULL || result < 0)
        return result;
    berth_overlay_lock(overlay);
    bool found = berth_overlay_find(overlay, path->str, &place) == 0 &&
                 stat_place(share, path->str, &place, &shown) == 0;
    berth_overlay_unlock(overlay);
    if (found && shown.key.inode == ret_file->key.inode && shown.key.device == ret_file->key.device)
        *ret_file = shown;
    else
        keep_number(fd, ret_file); /* it is open and has no name */
    return 0;
}

/* ---- files ---- */

int share_layer_open(Share *share, BerthOverlay *overlay, const char *path, const BerthNodeKey *key,
                     bool to_change)
{
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    ShareFile file = {0};
    const char *name = g_str_equal(path, ".") ? "" : path;
    int result = berth_overlay_find(overlay, name, &place);
    if (result == 0)
        result = stat_place(share, name, &place, &file);
    if (result < 0)
        return result;
    if ((to_change && place.upper < 0) || (key != NULL && !berth_node_key_equal(&file.key, key)))
        return -ESTALE;
    return berth_fd_steal(place.upper >= 0 ? &place.upper : &place.lower);
}

/* What a copy of @path would add: nothing if there is one. Directories are never refused, since a
 * removal may need their copy. */
static guint64 bytes_to_copy(BerthOverlay *overlay, const char *path)
{
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    struct stat info;
    berth_overlay_lock(overlay);
    bool needed = berth_overlay_find(overlay, path, &place) == 0 && place.upper < 0 &&
                  fstat(place.lower, &info) == 0 && !S_ISDIR(info.st_mode);
    berth_overlay_unlock(overlay);
    return needed ? (guint64)info.st_blocks * 512 : 0;
}

/* Copy @path, which is in @parent or is node @parent itself, if the quota has room for it. */
static int copy_within(Share *share, fuse_ino_t parent, BerthOverlay *overlay, const char *path)
{
    g_auto(ShareCharge) charge = {0};
    share_charge_begin(share, parent, &charge);
    int result =
        charge.quota != NULL ? share_charge_check(&charge, bytes_to_copy(overlay, path)) : 0;
    return result < 0 ? result : berth_overlay_copy_up(overlay, path); /* on_copied counts */
}

/* Whether the file @fd is the one that the overlay shows at @path. */
static bool is_shown(BerthOverlay *overlay, const char *path, int fd)
{
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    struct stat shown, file;
    berth_overlay_lock(overlay);
    bool found = berth_overlay_find(overlay, path, &place) == 0;
    berth_overlay_unlock(overlay);
    return found && fstat(berth_overlay_shown(&place), &shown) == 0 && fstat(fd, &file) == 0 &&
           shown.st_dev == file.st_dev && shown.st_ino == file.st_ino;
}

int share_layer_copy_up(Share *share, fuse_ino_t id)
{
    g_autoptr(GString) path = g_string_new(NULL);
    BerthOverlay *overlay = overlay_of(share, id, path);
    if (overlay == NULL || path->len == 0)
        return 0;
    berth_autofd int fd = share_open_node(share, id, NULL); /* it is the node's file */
    if (fd < 0)
        return fd;
    if (!is_shown(overlay, path->str, fd))
        return 0; /* it is open, and another file has its place */
    int result = copy_within(share, id, overlay, path->str);
    return result == -ENOENT || result == -ENOTDIR ? 0 : result; /* it may be open */
}

/* Whether the guest may write to the file of @id by a handle that it has. */
static bool is_open_to_write(Share *share, fuse_ino_t id)
{
    g_autoptr(BerthHandle) handle = berth_handles_find(share->handles, id, true);
    return handle != NULL && handle->is_writable;
}

void share_layer_adopt(Share *share, fuse_ino_t id)
{
    g_autoptr(GString) path = g_string_new(NULL);
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    ShareFile file = {0};
    BerthOverlay *overlay = overlay_of(share, id, path);
    if (overlay == NULL || berth_overlay_find(overlay, path->str, &place) < 0 ||
        stat_place(share, path->str, &place, &file) < 0)
        return;
    g_mutex_lock(&share->lock);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    bool is_other = node != NULL && !berth_node_key_equal(&node->key, &file.key) &&
                    node->type == (file.attributes.st_mode & S_IFMT) >> 12;
    if (is_other)
        berth_nodes_set_key(share->nodes, id, &file.key);
    g_mutex_unlock(&share->lock);
    if (!is_other)
        return;
    bool is_written = is_open_to_write(share, id);
    if (is_written && berth_overlay_copy_up(overlay, path->str) == 0)
        return;       /* on_copied moves the handles */
    if (is_written) { /* there is no space: writes fail rather than go to a file without a name */
        berth_autofd int nothing = berth_fd_reopen(share->marker, O_PATH);
        berth_handles_end_writing(share->handles, id, nothing);
    }
    berth_handles_move(share->handles, id, berth_overlay_shown(&place));
}

int share_layer_prepare(Share *share, fuse_ino_t parent, const char *name, bool may_exist)
{
    g_autoptr(GString) path = g_string_new(NULL);
    BerthOverlay *overlay = overlay_of_child(share, parent, name, path);
    if (overlay == NULL)
        return 0;
    int result = berth_overlay_prepare(overlay, path->str);
    return result == -EEXIST && may_exist ? copy_within(share, parent, overlay, path->str) : result;
}

static int as_call(int result)
{
    errno = result < 0 ? -result : errno;
    return result < 0 ? -1 : 0;
}

int share_layer_unlink(Share *share, fuse_ino_t parent, int fd, const char *name, int flags)
{
    g_autoptr(GString) path = g_string_new(NULL);
    BerthOverlay *overlay = overlay_of_child(share, parent, name, path);
    if (overlay == NULL)
        return unlinkat(fd, name, flags);
    return as_call(berth_overlay_remove(overlay, path->str, flags == AT_REMOVEDIR));
}

int share_layer_rename(Share *share, const ShareEntry *from, const ShareEntry *to, unsigned flags)
{
    g_autoptr(GString) path = g_string_new(NULL);
    g_autoptr(GString) new_path = g_string_new(NULL);
    BerthOverlay *overlay = overlay_of_child(share, from->parent, from->name, path);
    BerthOverlay *other = overlay_of_child(share, to->parent, to->name, new_path);
    if (overlay == NULL && other == NULL)
        return renameat2(from->fd, from->name, to->fd, to->name, flags);
    return as_call(
        overlay != other ? -EXDEV : berth_overlay_rename(overlay, path->str, new_path->str, flags));
}

int share_layer_lower(Share *share, fuse_ino_t id)
{
    g_autoptr(GString) path = g_string_new(NULL);
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    BerthOverlay *overlay = overlay_of(share, id, path);
    if (overlay == NULL || berth_overlay_find(overlay, path->str, &place) < 0 || place.lower < 0)
        return -ENOENT;
    return berth_fd_steal(&place.lower);
}

bool share_layer_hides(Share *share, fuse_ino_t parent, const char *name)
{
    g_autoptr(GString) path = g_string_new(NULL);
    BerthOverlay *overlay = overlay_of_child(share, parent, name, path);
    if (overlay == NULL)
        return false;
    berth_overlay_lock(overlay);
    bool hides = berth_overlay_hides(overlay, path->str);
    berth_overlay_unlock(overlay);
    return hides;
}

/* Uncount the copy at @path, which is about to be dropped. */
static void uncount(Share *share, BerthOverlay *overlay, guint64 id, const char *path)
{
    ShareFile file = {0};
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    int root = share_root_of(share, id);
    BerthQuota *quota = root >= 0 ? share->roots[root].quota : NULL;
    if (quota != NULL && berth_overlay_find(overlay, path, &place) == 0 && place.upper >= 0 &&
        share_stat(share, place.upper, "", &file) == 0)
        berth_quota_change(quota, &file.key, -(gint64)file.attributes.st_blocks * 512);
}

/* Whether somebody has a lock of the copy at @path: it would not follow. */
static bool is_locked(BerthOverlay *overlay, char *path)
{
    return berth_overlay_is_locked(
        overlay, &(const BerthOverlayChange){path, BERTH_CHANGE_MODIFIED, false, false});
}

/* Under share_hold_begin_alone, so that looking for locks is in nobody's way. */
static bool show_lower(Share *share, BerthOverlay *overlay, fuse_ino_t parent, const char *name,
                       char *path)
{
    BerthOverlayAge age = berth_overlay_age(overlay, path);
    if (age <= BERTH_OVERLAY_CURRENT)
        return age == BERTH_OVERLAY_CURRENT;
    g_mutex_lock(&share->lock);
    guint64 id = berth_nodes_find(share->nodes, parent, name);
    g_mutex_unlock(&share->lock);
    if (is_locked(overlay, path)) {
        if (id != BERTH_NODE_NONE)
            share_copies_keep_locked(share, id);
        return false;
    }
    bool is_written =
        age == BERTH_OVERLAY_EDITED && id != BERTH_NODE_NONE && is_open_to_write(share, id);
    uncount(share, overlay, parent, path);
    if (is_written && berth_overlay_copy_again(overlay, path) == 0)
        return true; /* on_copied counts the new one, and moves the handles */
    if (is_written) {
        share_quota_measure(share, (guint)share_root_of(share, parent));
        return false; /* no space, or written to all the time: the next event tries again */
    }
    if (berth_overlay_drop_copy(overlay, path) == 0 && age == BERTH_OVERLAY_EDITED &&
        id != BERTH_NODE_NONE)
        share_layer_adopt(share, id);
    return false;
}

BerthOverlayAge share_layer_age(Share *share, fuse_ino_t parent, const char *name)
{
    g_autoptr(GString) path = g_string_new(NULL);
    BerthOverlay *overlay = overlay_of_child(share, parent, name, path);
    if (overlay == NULL)
        return BERTH_OVERLAY_CHANGED;
    berth_overlay_lock(overlay);
    BerthOverlayAge age = berth_overlay_age(overlay, path->str);
    berth_overlay_unlock(overlay);
    return age;
}

GPtrArray *share_layer_copies(Share *share, fuse_ino_t id)
{
    g_autoptr(GString) path = g_string_new(NULL);
    BerthOverlay *overlay = overlay_of(share, id, path);
    if (overlay == NULL)
        return NULL;
    berth_overlay_lock(overlay);
    GPtrArray *names = berth_overlay_copies(overlay, path->str);
    berth_overlay_unlock(overlay);
    return names;
}

bool share_layer_follow(Share *share, fuse_ino_t parent, const char *name)
{
    g_autoptr(GString) path = g_string_new(NULL);
    BerthOverlay *overlay = overlay_of_child(share, parent, name, path);
    BerthOverlayAge age = share_layer_age(share, parent, name);
    if (age <= BERTH_OVERLAY_CURRENT)
        return age == BERTH_OVERLAY_CURRENT;
    share_hold_begin_alone(share);
    bool copied = show_lower(share, overlay, parent, name, path->str);
    share_hold_end(share);
    return copied;
}

GPtrArray *share_layer_list(Share *share, fuse_ino_t id)
{
    g_autoptr(GString) path = g_string_new(NULL);
    BerthOverlay *overlay = overlay_of(share, id, path);
    if (overlay == NULL) { /* it was removed */
        errno = ESTALE;
        return NULL;
    }
    berth_overlay_lock(overlay);
    GPtrArray *entries = berth_overlay_list(overlay, path->str);
    berth_overlay_unlock(overlay);
    return entries;
}

/* ---- copies ---- */

/* BerthOverlayCopied: the node is the copy from now on, and what has it open reads that. */
static void on_copied(const char *path, int fd, gpointer user_data)
{
    const ShareRoot *root = user_data;
    Share *share = root->share;
    ShareFile file = {0};
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    if (fd < 0 || share_stat(share, fd, "", &file) < 0)
        return;
    if (root->quota != NULL)
        berth_quota_change(root->quota, &file.key, (gint64)file.attributes.st_blocks * 512);
    g_mutex_lock(&share->lock);
    guint64 id = root->node;
    for (char **name = names; *name != NULL && id != BERTH_NODE_NONE; name++)
        id = berth_nodes_find(share->nodes, id, *name);
    berth_nodes_set_key(share->nodes, id, &file.key);
    g_mutex_unlock(&share->lock);
    if (id != BERTH_NODE_NONE)
        berth_handles_move(share->handles, id, fd);
}

bool share_layer_start(Share *share, guint root, const char *dir, GError **error)
{
    ShareRoot *opened = &share->roots[root];
    opened->overlay = berth_overlay_open(dir, opened->fd, error);
    if (opened->overlay == NULL || !berth_overlay_claim(opened->overlay, true, error))
        return false;
    opened->hold_fd = berth_overlay_listen(opened->overlay); /* without it none settles changes */
    opened->share = share;
    berth_overlay_on_copied(opened->overlay, on_copied, opened);
    berth_overlay_clean(opened->overlay);
    share->has_overlays = true;
    return true;
}

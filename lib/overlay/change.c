/* SPDX-License-Identifier: MIT
 *
 * Changes of what an overlay shows.
 */
#include "overlay_private.h"
#include "review.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* as linux/fs.h has them, which clashes with other headers */
#define NOREPLACE 1u
#define EXCHANGE  2u

#define COPY_TRIES 3

/* A path with its directory, and what is shown of both. */
typedef struct {
    const char *path, *name;
    char *parent_path;
    BerthOverlayPlace parent, self;
    int found; /* 0, or why self is nothing */
} Target;

static void target_clear(Target *target)
{
    g_free(target->parent_path);
    berth_overlay_place_clear(&target->parent);
    berth_overlay_place_clear(&target->self);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Target, target_clear)

/* Fill @target, which must be cleared then. */
static int target_init(BerthOverlay *overlay, const char *path, Target *target)
{
    *target = (Target){.path = path, .parent = {-1, -1, false}, .self = {-1, -1, false}};
    target->parent_path = overlay_split(path, &target->name);
    int result = berth_overlay_find(overlay, target->parent_path, &target->parent);
    target->found = result < 0 ? result : berth_overlay_find(overlay, path, &target->self);
    return result;
}

static bool is_directory(int fd)
{
    struct stat info;
    return fd >= 0 && fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The base of a new record: the lower file at @target, which may be hidden. */
static OverlayBase base_of(const Target *target)
{
    struct stat info;
    bool exists = target->parent.lower >= 0 &&
                  fstatat(target->parent.lower, target->name, &info, AT_SYMLINK_NOFOLLOW) == 0;
    return exists ? overlay_base_of(&info) : (OverlayBase){0};
}

/* Write that @target is of @kind. The base stays as long as the record is in force. */
static int record(BerthOverlay *overlay, const Target *target, OverlayKind kind)
{
    if (!target->parent.merged)
        return 0; /* no lower file can appear there */
    OverlayRecord written = overlay_record_read(overlay, target->parent_path, target->name);
    bool in_force =
        written.kind == OVERLAY_HIDE || (written.kind != OVERLAY_NONE && target->self.upper >= 0);
    if (in_force && written.kind == kind)
        return 0;
    if (!in_force)
        written.base = base_of(target);
    written.kind = kind;
    return overlay_record_write(overlay, target->parent_path, target->name, &written);
}

/* As record, before a file is placed: what is hidden stays so. */
static int record_copy(BerthOverlay *overlay, const Target *target)
{
    OverlayKind kind = target->parent.merged
                           ? overlay_record_read(overlay, target->parent_path, target->name).kind
                           : OVERLAY_NONE;
    return record(overlay, target, kind == OVERLAY_HIDE ? kind : OVERLAY_COPY);
}

/* ---- copying up ---- */

/* Store which file the copy in work/ was; no more than its number depends on it. */
static void store_origin(const BerthOverlay *overlay, const char *work, const struct stat *info)
{
    char text[64], path[BERTH_FD_PATH_SIZE];
    berth_autofd int fd = openat(overlay->work, work, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || (!S_ISREG(info->st_mode) && !S_ISDIR(info->st_mode)) ||
        (S_ISREG(info->st_mode) && info->st_nlink > 1)) /* its other names keep the number */
        return;
    berth_fd_self_path(fd, path);
    int length = snprintf(text, sizeof(text), "%" G_GINT64_MODIFIER "x:%" G_GINT64_MODIFIER "x",
                          (guint64)info->st_dev, (guint64)info->st_ino);
    setxattr(path, BERTH_OVERLAY_ATTRIBUTE, text, (gsize)length, 0);
}

bool berth_overlay_origin(int fd, dev_t *ret_device, ino_t *ret_inode)
{
    char text[64], path[BERTH_FD_PATH_SIZE], *end;
    berth_fd_self_path(fd, path);
    ssize_t size = getxattr(path, BERTH_OVERLAY_ATTRIBUTE, text, sizeof(text) - 1);
    if (size <= 0)
        return false;
    text[size] = '\0';
    *ret_device = (dev_t)g_ascii_strtoull(text, &end, 16);
    *ret_inode = *end == ':' ? (ino_t)g_ascii_strtoull(end + 1, &end, 16) : 0;
    return *end == '\0' && *ret_inode != 0;
}

/* Put the copy in work/ in its place, with its record. */
static int place(BerthOverlay *overlay, const Target *target, const char *work,
                 const struct stat *info)
{
    const OverlayRecord written = {S_ISDIR(info->st_mode) ? OVERLAY_MERGE : OVERLAY_COPY,
                                   overlay_base_of(info)};
    const unsigned flags = target->self.upper < 0 ? NOREPLACE : 0;
    g_autoptr(GRWLockWriterLocker) locker = g_rw_lock_writer_locker_new(&overlay->commit);
    int result = overlay_record_write(overlay, target->parent_path, target->name, &written);
    if (result == 0 &&
        renameat2(overlay->work, work, target->parent.upper, target->name, flags) < 0)
        result = -errno;
    if (result < 0 || overlay->copied == NULL)
        return result;
    berth_autofd int fd =
        openat(target->parent.upper, target->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    overlay->copied(target->path, fd, overlay->copied_data);
    return 0;
}

/* Copy the lower file @lower into work/. */
static int copy_to_work(BerthOverlay *overlay, int lower, char work[OVERLAY_NAME_SIZE],
                        struct stat *ret_info)
{
    int result = -EAGAIN;
    for (guint i = 0; result == -EAGAIN && i < COPY_TRIES; i++) {
        overlay_work_name(overlay, work);
        if (fstat(lower, ret_info) < 0)
            return -errno;
        result = overlay_copy(lower, ret_info, overlay->work, work);
    }
    if (result == 0)
        store_origin(overlay, work, ret_info);
    return result;
}

/* Copy @target up, whose parent is. */
static int copy_target(BerthOverlay *overlay, const Target *target)
{
    struct stat info;
    char work[OVERLAY_NAME_SIZE];
    int result = copy_to_work(overlay, target->self.lower, work, &info);
    if (result < 0)
        return result;
    struct stat parent;
    bool known = fstat(target->parent.upper, &parent) == 0;
    result = place(overlay, target, work, &info);
    if (result < 0)
        overlay_remove_all(overlay->work, work);
    if (result == 0 && known) { /* the guest has added nothing to the directory */
        const struct timespec before[] = {parent.st_atim, parent.st_mtim};
        char path[BERTH_FD_PATH_SIZE];
        berth_fd_self_path(target->parent.upper, path);
        utimensat(AT_FDCWD, path, before, 0);
    }
    return result;
}

static int copy_up(BerthOverlay *overlay, const char *path)
{
    g_auto(Target) target;
    int result = target_init(overlay, path, &target);
    if (result < 0 || target.found < 0)
        return result < 0 ? result : target.found;
    if (target.self.upper >= 0)
        return 0;
    if (target.parent.upper < 0) {
        result = copy_up(overlay, target.parent_path);
        berth_overlay_place_clear(&target.parent);
        if (result == 0)
            result = berth_overlay_find(overlay, target.parent_path, &target.parent);
    }
    return result < 0 ? result : copy_target(overlay, &target);
}

int berth_overlay_copy_up(BerthOverlay *overlay, const char *path)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&overlay->lock);
    return copy_up(overlay, path);
}

/* If the process is killed between the record and the rename, berth changes lists a change that
 * nobody made; the user can discard it. */
int berth_overlay_copy_again(BerthOverlay *overlay, const char *path)
{
    struct stat info;
    char work[OVERLAY_NAME_SIZE];
    g_auto(Target) target;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&overlay->lock);
    int result = target_init(overlay, path, &target);
    if (result < 0 || target.found < 0 || target.self.upper < 0 || target.parent.lower < 0)
        return result < 0 ? result : -ENOENT;
    berth_autofd int lower =
        openat(target.parent.lower, target.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    result = lower < 0 ? -errno : copy_to_work(overlay, lower, work, &info);
    if (result < 0)
        return result;
    result = place(overlay, &target, work, &info);
    if (result < 0)
        overlay_remove_all(overlay->work, work);
    return result;
}

/* ---- making, removing, moving ---- */

int berth_overlay_prepare(BerthOverlay *overlay, const char *path)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&overlay->lock);
    g_auto(Target) target;
    int result = target_init(overlay, path, &target);
    if (result == 0 && target.found == 0)
        return -EEXIST;
    return result < 0 ? result : record_copy(overlay, &target);
}

/* Whether the directory @path is shown as empty: 0, or -ENOTEMPTY. */
static int check_empty(BerthOverlay *overlay, const char *path)
{
    g_autoptr(GPtrArray) entries = berth_overlay_list(overlay, path);
    if (entries == NULL)
        return -errno;
    for (guint i = 0; i < entries->len; i++) {
        const BerthOverlayEntry *entry = entries->pdata[i];
        if (!g_str_equal(entry->name, ".") && !g_str_equal(entry->name, ".."))
            return -ENOTEMPTY;
    }
    return 0;
}

static bool has_lower(const Target *target)
{
    struct stat info;
    return target->parent.merged && target->parent.lower >= 0 &&
           fstatat(target->parent.lower, target->name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The record that the file at @target is gone from it, as far as one is needed. */
static int record_gone(BerthOverlay *overlay, const Target *target)
{
    return has_lower(target) ? record(overlay, target, OVERLAY_HIDE) : 0;
}

/* After the upper file has gone: a record that means nothing any more. */
static void drop_record(BerthOverlay *overlay, const Target *target)
{
    if (target->parent.merged && !has_lower(target) &&
        overlay_record_read(overlay, target->parent_path, target->name).base.mode == 0)
        overlay_record_remove(overlay, target->parent_path, target->name);
}

static int remove_target(BerthOverlay *overlay, const Target *target, bool directory)
{
    g_autoptr(GRWLockWriterLocker) locker = g_rw_lock_writer_locker_new(&overlay->commit);
    int result = record_gone(overlay, target);
    if (result == 0 && target->self.upper >= 0 &&
        unlinkat(target->parent.upper, target->name, directory ? AT_REMOVEDIR : 0) < 0)
        result = -errno;
    if (result == 0)
        drop_record(overlay, target);
    return result;
}

int berth_overlay_remove(BerthOverlay *overlay, const char *path, bool directory)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&overlay->lock);
    const char *name;
    g_autofree char *parent = overlay_split(path, &name);
    int result = *parent != '\0' ? copy_up(overlay, parent) : 0;
    if (result < 0)
        return result;
    g_auto(Target) target;
    result = target_init(overlay, path, &target);
    if (result < 0 || target.found < 0)
        return result < 0 ? result : target.found;
    if (is_directory(berth_overlay_shown(&target.self)) != directory)
        return directory ? -ENOTDIR : -EISDIR;
    result = directory ? check_empty(overlay, path) : 0;
    if (result < 0 || (result = remove_target(overlay, &target, directory)) < 0)
        return result;
    char fd_path[BERTH_FD_PATH_SIZE];
    berth_fd_self_path(target.parent.upper, fd_path);
    if (target.self.upper < 0)
        utimensat(AT_FDCWD, fd_path, NULL, 0); /* as a removal does */
    return 0;
}

/* Whether @from may take the place of @to. */
static int check_replaced(BerthOverlay *overlay, const Target *from, const Target *to)
{
    bool is_moved_directory = is_directory(berth_overlay_shown(&from->self));
    if (is_directory(berth_overlay_shown(&to->self)) != is_moved_directory)
        return is_moved_directory ? -ENOTDIR : -EISDIR;
    return is_moved_directory ? check_empty(overlay, to->path) : 0;
}

/* Whether the contents of the directory, or a part of them, are in the lower one. */
static bool is_lower_directory(const Target *target)
{
    return target->self.merged && is_directory(berth_overlay_shown(&target->self));
}

/* Check a rename of @from, which exists, to @to. */
static int check_rename(BerthOverlay *overlay, const Target *from, const Target *to, unsigned flags)
{
    if (is_lower_directory(from))
        return -EXDEV;
    if ((flags & EXCHANGE) != 0) {
        if (to->found < 0)
            return to->found;
        return is_lower_directory(to) ? -EXDEV : 0;
    }
    if (to->found == 0 && (flags & NOREPLACE) != 0)
        return -EEXIST;
    return to->found == 0 ? check_replaced(overlay, from, to) : 0;
}

static int rename_targets(BerthOverlay *overlay, const Target *from, const Target *to,
                          unsigned flags)
{
    g_autoptr(GRWLockWriterLocker) locker = g_rw_lock_writer_locker_new(&overlay->commit);
    const bool swaps = (flags & EXCHANGE) != 0;
    int result = record_copy(overlay, to);
    if (result == 0)
        result = swaps ? record_copy(overlay, from) : record_gone(overlay, from);
    if (result == 0 &&
        renameat2(from->parent.upper, from->name, to->parent.upper, to->name, flags) < 0)
        result = -errno;
    struct stat info;
    bool is_gone =
        result == 0 && fstatat(from->parent.upper, from->name, &info, AT_SYMLINK_NOFOLLOW) < 0;
    if (is_gone)
        drop_record(overlay, from);
    return result;
}

int berth_overlay_rename(BerthOverlay *overlay, const char *from_path, const char *to_path,
                         unsigned flags)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&overlay->lock);
    for (guint i = 0; i < 2; i++) {
        g_auto(Target) from;
        g_auto(Target) to;
        int result = target_init(overlay, from_path, &from);
        int other = target_init(overlay, to_path, &to);
        if (result < 0 || other < 0 || from.found < 0)
            return result < 0 ? result : from.found < 0 ? from.found : other;
        result = check_rename(overlay, &from, &to, flags);
        if (result < 0)
            return result;
        if (i == 1)
            return rename_targets(overlay, &from, &to, flags);
        /* the files in the upper tree, then once more */
        result = copy_up(overlay, from_path);
        if (result == 0)
            result = copy_up(overlay, to.parent_path);
        if (result == 0 && (flags & EXCHANGE) != 0)
            result = copy_up(overlay, to_path);
        if (result < 0)
            return result;
    }
    return -EIO;
}

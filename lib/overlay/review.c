/* SPDX-License-Identifier: MIT */
#include "review.h"

#include "overlay_private.h"
#include "stage_private.h"

#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define EXCHANGE 2u /* as linux/fs.h has it, which clashes with other headers */

const char *berth_change_kind_word(BerthChangeKind kind)
{
    static const char *const words[] = {"added", "modified", "deleted", "mode"};
    return words[kind];
}

/* ---- finding ---- */

static void change_free(BerthOverlayChange *change)
{
    g_free(change->path);
    g_free(change);
}

static bool is_at(int directory, const char *name, struct stat *ret_info)
{
    *ret_info = (struct stat){0};
    return directory >= 0 && fstatat(directory, name, ret_info, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_same_content(const OverlayBase *a, const OverlayBase *b)
{
    return (a->mode & S_IFMT) == (b->mode & S_IFMT) && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Whether the lower file is another one than at the first change. Of a directory no more than its
 * kind and mode count: what is in it has records of its own. */
static bool is_conflict(const OverlayBase *base, bool exists, const struct stat *lower)
{
    if (base->mode == 0 || !exists)
        return exists || base->mode != 0;
    OverlayBase now = overlay_base_of(lower);
    if (now.mode != base->mode)
        return true;
    return !S_ISDIR(now.mode) && (now.inode != base->inode || !is_same_content(&now, base));
}

static void add_change(GPtrArray *changes, const char *path, BerthChangeKind kind,
                       const struct stat *info, bool conflict)
{
    BerthOverlayChange *change = g_new(BerthOverlayChange, 1);
    *change = (BerthOverlayChange){g_strdup(path), kind, S_ISDIR(info->st_mode), conflict};
    g_ptr_array_add(changes, change);
}

/* Add the change of the file at @path, whose upper and lower files are given, if there is one. */
static void classify(GPtrArray *changes, const char *path, const OverlayRecord *record,
                     const struct stat *upper, const struct stat *lower)
{
    bool has_upper = upper->st_mode != 0, has_lower = lower->st_mode != 0;
    bool conflict = is_conflict(&record->base, has_lower, lower);
    OverlayBase now = overlay_base_of(upper);
    if (!has_upper && record->kind == OVERLAY_HIDE && has_lower)
        add_change(changes, path, BERTH_CHANGE_DELETED, lower, conflict);
    if (!has_upper)
        return;
    bool merged = record->kind == OVERLAY_MERGE && S_ISDIR(upper->st_mode);
    bool same = merged || (!S_ISDIR(upper->st_mode) && is_same_content(&now, &record->base));
    if (record->base.mode == 0)
        add_change(changes, path, BERTH_CHANGE_ADDED, upper, conflict);
    else if (!same)
        add_change(changes, path, BERTH_CHANGE_MODIFIED, upper, conflict);
    else if (now.mode != record->base.mode)
        add_change(changes, path, BERTH_CHANGE_MODE, upper, conflict);
}

/* Add the changes below the merged directory @path. */
static void add_changes(BerthOverlay *overlay, const char *path, GPtrArray *changes)
{
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    g_autoptr(GHashTable) records = overlay_record_names(overlay, path);
    GHashTableIter iter;
    gpointer name;
    if (berth_overlay_find(overlay, path, &place) < 0 || !place.merged)
        return;
    g_hash_table_iter_init(&iter, records);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        struct stat upper, lower;
        OverlayRecord record = overlay_record_read(overlay, path, name);
        g_autofree char *child =
            *path != '\0' ? g_strconcat(path, "/", name, NULL) : g_strdup(name);
        is_at(place.lower, name, &lower);
        bool has_upper = is_at(place.upper, name, &upper);
        classify(changes, child, &record, &upper, &lower);
        if (has_upper && record.kind == OVERLAY_MERGE && S_ISDIR(upper.st_mode))
            add_changes(overlay, child, changes);
    }
}

static gint compare_paths(gconstpointer a, gconstpointer b)
{
    const BerthOverlayChange *const *one = a, *const *other = b;
    return strcmp((*one)->path, (*other)->path);
}

GPtrArray *berth_overlay_changes(BerthOverlay *overlay)
{
    GPtrArray *changes = g_ptr_array_new_with_free_func((GDestroyNotify)change_free);
    add_changes(overlay, "", changes);
    g_ptr_array_sort(changes, compare_paths);
    return changes;
}

/* ---- dropping ---- */

/* Drop the record and the upper file of @path. In between the upper file is shown still. */
static int drop(BerthOverlay *overlay, const char *path)
{
    const char *name;
    char work[OVERLAY_NAME_SIZE];
    g_auto(BerthOverlayPlace) parent = {-1, -1, false};
    g_autofree char *parent_path = overlay_split(path, &name);
    int result = berth_overlay_find(overlay, parent_path, &parent);
    if (result < 0)
        return result;
    overlay_record_remove_below(overlay, path);
    overlay_record_remove(overlay, parent_path, name);
    overlay_work_name(overlay, work);
    if (parent.upper < 0 || renameat(parent.upper, name, overlay->work, work) < 0)
        return parent.upper < 0 || errno == ENOENT ? 0 : -errno;
    overlay_remove_later(overlay, work);
    return 0;
}

/* The record of a merged directory, whose mode is settled, at @mode in both. */
static int settle_mode(BerthOverlay *overlay, const char *path, mode_t mode)
{
    const char *name;
    char fd_path[BERTH_FD_PATH_SIZE];
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    g_autofree char *parent = overlay_split(path, &name);
    OverlayRecord record = overlay_record_read(overlay, parent, name);
    int result = berth_overlay_find(overlay, path, &place);
    if (result < 0)
        return result;
    berth_fd_self_path(place.upper, fd_path);
    if (chmod(fd_path, mode & 07777) < 0)
        return -errno;
    record.base.mode = (record.base.mode & S_IFMT) | (mode & 07777);
    return overlay_record_write(overlay, parent, name, &record);
}

/* Whether the upper file @info is the copy that @record tells of, unchanged. */
static bool is_plain_copy(const OverlayRecord *record, const struct stat *info)
{
    OverlayBase now = overlay_base_of(info);
    return record->kind == OVERLAY_COPY && record->base.mode == now.mode &&
           !S_ISDIR(info->st_mode) && is_same_content(&now, &record->base);
}

BerthOverlayAge berth_overlay_age(BerthOverlay *overlay, const char *path)
{
    const char *name;
    struct stat upper, lower;
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    g_autofree char *parent_path = overlay_split(path, &name);
    if (berth_overlay_find(overlay, parent_path, &place) < 0 || !place.merged ||
        !is_at(place.upper, name, &upper))
        return BERTH_OVERLAY_CHANGED;
    OverlayRecord record = overlay_record_read(overlay, parent_path, name);
    bool exists = is_at(place.lower, name, &lower);
    if (!is_plain_copy(&record, &upper))
        return BERTH_OVERLAY_CHANGED;
    if (!is_conflict(&record.base, exists, &lower))
        return BERTH_OVERLAY_CURRENT;
    return exists && lower.st_ino == record.base.inode ? BERTH_OVERLAY_EDITED
                                                       : BERTH_OVERLAY_REPLACED;
}

GPtrArray *berth_overlay_copies(BerthOverlay *overlay, const char *path)
{
    GPtrArray *copies = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) records = overlay_record_names(overlay, path);
    GHashTableIter iter;
    gpointer name, kind;
    g_hash_table_iter_init(&iter, records);
    while (g_hash_table_iter_next(&iter, &name, &kind))
        if (GPOINTER_TO_INT(kind) == OVERLAY_COPY)
            g_ptr_array_add(copies, g_strdup(name));
    return copies;
}

int berth_overlay_drop_copy(BerthOverlay *overlay, const char *path)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&overlay->lock);
    g_autoptr(GRWLockWriterLocker) commit = g_rw_lock_writer_locker_new(&overlay->commit);
    return drop(overlay, path);
}

static bool check(int result, const char *id, const char *path, GError **error)
{
    if (result < 0)
        berth_error_set_errno(error, -result, id, "%s", path);
    return result >= 0;
}

bool berth_overlay_discard(BerthOverlay *overlay, const BerthOverlayChange *change, GError **error)
{
    const char *name;
    g_autofree char *parent = overlay_split(change->path, &name);
    bool is_mode_only = change->kind == BERTH_CHANGE_MODE && change->is_directory;
    int result = is_mode_only ? settle_mode(overlay, change->path,
                                            overlay_record_read(overlay, parent, name).base.mode)
                              : drop(overlay, change->path);
    return check(result, "overlay.discard", change->path, error);
}

/* ---- locks ---- */

static bool is_file_locked(int file)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    berth_autofd int fd = berth_fd_reopen(file, O_RDONLY);
    if (fd < 0)
        return false; /* nobody else may open it, either */
    bool has_flock = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    return has_flock || (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK);
}

/* Whether the file @file (O_PATH) is locked, or one below it. */
static bool is_tree_locked(int file)
{
    struct stat info = {0};
    if (fstat(file, &info) < 0 || !S_ISDIR(info.st_mode))
        return S_ISREG(info.st_mode) && is_file_locked(file);
    int opened = berth_fd_reopen(file, O_RDONLY | O_DIRECTORY);
    DIR *listing = opened < 0 ? NULL : fdopendir(opened);
    bool locked = false;
    for (struct dirent *found; !locked && listing != NULL && (found = readdir(listing)) != NULL;) {
        if (g_str_equal(found->d_name, ".") || g_str_equal(found->d_name, ".."))
            continue;
        berth_autofd int child = openat(file, found->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        locked = child >= 0 && is_tree_locked(child);
    }
    if (listing != NULL)
        closedir(listing);
    else
        berth_fd_close(&opened);
    return locked;
}

bool berth_overlay_is_locked(BerthOverlay *overlay, const BerthOverlayChange *change)
{
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    return change->kind != BERTH_CHANGE_DELETED &&
           berth_overlay_find(overlay, change->path, &place) == 0 && place.upper >= 0 &&
           (change->kind != BERTH_CHANGE_MODE || !change->is_directory) &&
           is_tree_locked(place.upper);
}

/* ---- accepting ---- */

/* Put @work of @from, a directory too, in the place of @name in @directory, whatever is there. */
static int replace(int from, const char *work, int directory, const char *name)
{
    struct stat info;
    bool exists = is_at(directory, name, &info);
    if (renameat2(from, work, directory, name, exists && S_ISDIR(info.st_mode) ? EXCHANGE : 0) == 0)
        return 0;
    if (errno != ENOTDIR)
        return -errno;
    return renameat2(from, work, directory, name, EXCHANGE) < 0 ? -errno : 0;
}

/* Make the lower file at @name of @directory as the shown one, @from. */
static int install(BerthOverlay *overlay, int from, int directory, const char *name)
{
    char work[OVERLAY_LOWER_NAME_SIZE];
    overlay_lower_name(overlay, work);
    int result = overlay_copy_tree(from, directory, work);
    if (result == 0)
        result = replace(directory, work, directory, name);
    overlay_remove_all(directory, work); /* what was replaced, or is not whole */
    return result;
}

/* The same by the copy in @stage. False: there is none that can be moved there. */
static bool install_staged(const BerthOverlayStage *stage, const char *path, int directory,
                           const char *name)
{
    const char *copy = stage != NULL ? overlay_stage_find(stage, path) : NULL;
    return copy != NULL && replace(overlay_stage_directory(stage), copy, directory, name) == 0;
}

/* Into @stage, where that is possible: it is emptied later. */
static int remove_lower(BerthOverlay *overlay, const BerthOverlayStage *stage, int directory,
                        const char *name)
{
    char work[OVERLAY_LOWER_NAME_SIZE];
    int staged = stage != NULL ? overlay_stage_directory(stage) : -1;
    overlay_lower_name(overlay, work);
    if (staged >= 0 && renameat(directory, name, staged, work) == 0)
        return 0;
    if (renameat(directory, name, directory, work) < 0)
        return errno == ENOENT ? 0 : -errno;
    overlay_remove_all(directory, work);
    return 0;
}

static int change_mode(int directory, const char *name, mode_t mode)
{
    char path[BERTH_FD_PATH_SIZE];
    berth_autofd int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    berth_fd_self_path(fd, path);
    if (fd < 0 || fstat(fd, &info) < 0)
        return -errno;
    if (S_ISLNK(info.st_mode))
        return -ELOOP;
    return chmod(path, mode & 07777) < 0 ? -errno : 0;
}

/* Make @change in the lower directory @directory, in which it is @name. */
static int apply(BerthOverlay *overlay, const BerthOverlayChange *change,
                 const BerthOverlayStage *stage, int directory, const char *name)
{
    struct stat info;
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    if (change->kind == BERTH_CHANGE_DELETED)
        return remove_lower(overlay, stage, directory, name);
    int result = berth_overlay_find(overlay, change->path, &place);
    if (result < 0 || fstat(place.upper, &info) < 0)
        return result < 0 ? result : -errno;
    if (change->kind != BERTH_CHANGE_MODE)
        return install_staged(stage, change->path, directory, name)
                   ? 0
                   : install(overlay, place.upper, directory, name);
    result = change_mode(directory, name, info.st_mode);
    return result == 0 && change->is_directory ? settle_mode(overlay, change->path, info.st_mode)
                                               : result;
}

bool berth_overlay_accept(BerthOverlay *overlay, const BerthOverlayChange *change,
                          const BerthOverlayStage *stage, GError **error)
{
    const char *name;
    g_autofree char *parent_path = overlay_split(change->path, &name);
    g_auto(BerthOverlayPlace) parent = {-1, -1, false};
    int result = berth_overlay_find(overlay, parent_path, &parent);
    if (result == 0 && parent.lower < 0)
        result = -ENOENT; /* the host has removed the directory */
    if (result == 0)
        result = apply(overlay, change, stage, parent.lower, name);
    if (result == 0 && !(change->kind == BERTH_CHANGE_MODE && change->is_directory))
        result = drop(overlay, change->path);
    return check(result, "overlay.accept", change->path, error);
}

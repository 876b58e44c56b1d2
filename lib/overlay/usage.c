/* SPDX-License-Identifier: MIT */
#include "usage.h"

#include "base/fd.h"
#include "beneath.h"
#include "overlay_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SECTOR 512u /* st_blocks counts these */

/* A directory whose mode was changed. */
typedef struct {
    char *path;
    mode_t mode;
} Unlocked;

typedef struct {
    const BerthOverlay *overlay;
    GPtrArray *paths;   /* directories to read, relative to upper; owned strings */
    GHashTable *linked; /* "device:inode" of files with several names that were counted */
    GArray *unlocked;   /* Unlocked, in the order of the walk */
    guint64 bytes;
} Walk;

static void clear_unlocked(gpointer data)
{
    g_free(((Unlocked *)data)->path);
}

/* Whether the file is counted for the first time. */
static bool is_first(Walk *walk, const struct stat *info)
{
    if (S_ISDIR(info->st_mode) || info->st_nlink < 2)
        return true;
    return g_hash_table_add(walk->linked,
                            g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
                                            (guint64)info->st_dev, (guint64)info->st_ino));
}

static void add_entry(Walk *walk, int directory, const char *path, const char *name)
{
    struct stat info;
    if (g_str_equal(name, ".") || g_str_equal(name, "..") ||
        fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (is_first(walk, &info))
        walk->bytes += (guint64)info.st_blocks * SECTOR;
    if (S_ISDIR(info.st_mode))
        g_ptr_array_add(walk->paths, g_strdup_printf("%s/%s", path, name));
}

/* Make the directory @path_fd, which is at @path, readable until the end of the walk: what is below
 * it needs its search permission, too. */
static bool unlock(Walk *walk, const char *path, int path_fd, mode_t mode)
{
    char self[BERTH_FD_PATH_SIZE];
    berth_fd_self_path(path_fd, self);
    if (walk->overlay->claim < 0 || (mode & 0500) == 0500 || chmod(self, mode | 0500) < 0)
        return false;
    Unlocked unlocked = {g_strdup(path), mode};
    g_array_append_val(walk->unlocked, unlocked);
    return true;
}

/* Those below first. */
static void restore_modes(Walk *walk)
{
    for (guint i = walk->unlocked->len; i-- > 0;) {
        const Unlocked *unlocked = &g_array_index(walk->unlocked, Unlocked, i);
        char self[BERTH_FD_PATH_SIZE];
        berth_autofd int fd = berth_beneath_open(walk->overlay->upper, unlocked->path);
        berth_fd_self_path(fd, self);
        if (fd >= 0)
            chmod(self, unlocked->mode);
    }
}

/* Open the directory @path to read it. */
static int open_to_read(Walk *walk, const char *path)
{
    struct stat info;
    berth_autofd int path_fd = berth_beneath_open(walk->overlay->upper, path);
    if (path_fd < 0 || fstat(path_fd, &info) < 0)
        return path_fd < 0 ? path_fd : -errno;
    unlock(walk, path, path_fd, info.st_mode & 07777);
    return berth_fd_reopen(path_fd, O_RDONLY | O_DIRECTORY);
}

static int read_directory(Walk *walk, const char *path)
{
    berth_autofd int fd = open_to_read(walk, path);
    DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
    if (listing == NULL) /* gone, or not to be read without a claim */
        return fd == -ENOENT || (fd == -EACCES && walk->overlay->claim < 0) ? 0
               : fd < 0                                                     ? fd
                                                                            : -errno;
    int number = berth_fd_steal(&fd);
    for (struct dirent *found; (found = readdir(listing)) != NULL;)
        add_entry(walk, number, path, found->d_name);
    closedir(listing);
    return 0;
}

int berth_overlay_usage(const BerthOverlay *overlay, guint64 *ret_bytes)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) linked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GArray) unlocked = g_array_new(FALSE, FALSE, sizeof(Unlocked));
    Walk walk = {overlay, paths, linked, unlocked, 0};
    g_array_set_clear_func(unlocked, clear_unlocked);
    int result = 0;
    g_ptr_array_add(paths, g_strdup("."));
    while (result == 0 && paths->len > 0) {
        g_autofree char *path = g_ptr_array_steal_index_fast(paths, paths->len - 1);
        result = read_directory(&walk, path);
    }
    restore_modes(&walk);
    *ret_bytes = walk.bytes;
    return result;
}

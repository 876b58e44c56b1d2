/* SPDX-License-Identifier: MIT
 *
 * Copies files of the host, and removes them.
 */
#include "overlay_private.h"
#include "review.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BUFFER_SIZE (1u << 20)

void overlay_work_name(BerthOverlay *overlay, char name[OVERLAY_NAME_SIZE])
{
    guint number = (guint)g_atomic_int_add(&overlay->made, 1);
    snprintf(name, OVERLAY_NAME_SIZE, "%d-%u", (int)getpid(), number);
}

/* Copy @size bytes from @at on, by read and write. */
static int copy_plainly(int from, int to, off_t at, off_t size)
{
    g_autofree char *buffer = g_malloc(BUFFER_SIZE);
    while (size > 0) {
        ssize_t got = pread(from, buffer, MIN((gsize)size, BUFFER_SIZE), at);
        if (got == 0)
            return -EAGAIN; /* it became shorter */
        if (got < 0 || pwrite(to, buffer, (gsize)got, at) != got)
            return errno != 0 ? -errno : -EIO;
        at += got;
        size -= got;
    }
    return 0;
}

/* Copy @size bytes from @at on; file systems that can share the blocks. */
static int copy_range(int from, int to, off_t at, off_t size)
{
    off_t in = at, out = at;
    while (size > 0) {
        ssize_t done = copy_file_range(from, &in, to, &out, (gsize)size, 0);
        if (done <= 0)
            return copy_plainly(from, to, in, size);
        size -= done;
    }
    return 0;
}

static int copy_data(int from, int to, off_t size)
{
    if (ftruncate(to, size) < 0)
        return -errno;
    for (off_t at = 0; at < size;) {
        off_t begin = lseek(from, at, SEEK_DATA);
        if (begin < 0)
            return errno == ENXIO ? 0 : copy_range(from, to, at, size - at);
        off_t end = lseek(from, begin, SEEK_HOLE);
        if (end < 0)
            return -errno;
        int result = copy_range(from, to, begin, MIN(end, size) - begin);
        if (result < 0)
            return result;
        at = end;
    }
    return 0;
}

/* Copy what is the user's; a file system that has no such attributes loses them. */
static void copy_attributes(const char *from, const char *to)
{
    g_autofree char *names = g_malloc(XATTR_LIST_MAX);
    g_autofree char *value = g_malloc(XATTR_SIZE_MAX);
    ssize_t size = listxattr(from, names, XATTR_LIST_MAX);
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        const char *name = names + at;
        ssize_t length =
            g_str_has_prefix(name, "user.") && !g_str_equal(name, BERTH_OVERLAY_ATTRIBUTE)
                ? getxattr(from, name, value, XATTR_SIZE_MAX)
                : -1;
        if (length >= 0)
            setxattr(to, name, value, (gsize)length, 0);
    }
}

int overlay_copy_state(int from, const struct stat *info, int to)
{
    const struct timespec times[] = {info->st_atim, info->st_mtim};
    char from_path[BERTH_FD_PATH_SIZE], to_path[BERTH_FD_PATH_SIZE];
    berth_fd_self_path(from, from_path);
    berth_fd_self_path(to, to_path);
    copy_attributes(from_path, to_path);
    if (chmod(to_path, info->st_mode & 07777) < 0 || utimensat(AT_FDCWD, to_path, times, 0) < 0)
        return -errno;
    return 0;
}

static int copy_regular(int from, const struct stat *info, int directory, const char *name)
{
    struct stat now;
    berth_autofd int in = berth_fd_reopen(from, O_RDONLY);
    if (in < 0)
        return in;
    berth_autofd int out =
        openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result = out < 0 ? -errno : copy_data(in, out, info->st_size);
    if (result == 0)
        result = overlay_copy_state(from, info, out);
    if (result == 0 && fstat(in, &now) < 0)
        result = -errno;
    if (result == 0 && (now.st_size != info->st_size ||
                        memcmp(&now.st_mtim, &info->st_mtim, sizeof(now.st_mtim)) != 0))
        result = -EAGAIN;
    return result;
}

static int copy_directory(int from, const struct stat *info, int directory, const char *name)
{
    if (mkdirat(directory, name, 0700) < 0)
        return -errno;
    berth_autofd int made = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return made < 0 ? -errno : overlay_copy_state(from, info, made);
}

static int copy_link(int from, const struct stat *info, int directory, const char *name)
{
    const struct timespec times[] = {info->st_atim, info->st_mtim};
    char target[PATH_MAX + 1];
    ssize_t size = readlinkat(from, "", target, sizeof(target) - 1);
    if (size < 0)
        return -errno;
    target[size] = '\0';
    if (symlinkat(target, directory, name) < 0)
        return -errno;
    return utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_special(const struct stat *info, int directory, const char *name)
{
    const struct timespec times[] = {info->st_atim, info->st_mtim};
    if (!S_ISFIFO(info->st_mode) && !S_ISSOCK(info->st_mode))
        return -EPERM;
    if (mknodat(directory, name, info->st_mode & (S_IFMT | 0777), 0) < 0 ||
        utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return 0;
}

static int copy_any(int from, const struct stat *info, int directory, const char *name)
{
    switch (info->st_mode & S_IFMT) {
    case S_IFREG:
        return copy_regular(from, info, directory, name);
    case S_IFDIR:
        return copy_directory(from, info, directory, name);
    case S_IFLNK:
        return copy_link(from, info, directory, name);
    default:
        return copy_special(info, directory, name);
    }
}

int overlay_copy(int from, const struct stat *info, int directory, const char *name)
{
    int result = copy_any(from, info, directory, name);
    if (result < 0)
        overlay_remove_all(directory, name);
    return result;
}

/* Copy what is in directory @from (O_PATH) into @directory/@name, and then the times of the
 * directory again. */
static int copy_entries(int from, const struct stat *info, int directory, const char *name)
{
    berth_autofd int made = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    berth_autofd int opened = made < 0 ? -errno : berth_fd_reopen(from, O_RDONLY | O_DIRECTORY);
    if (opened < 0)
        return opened;
    DIR *listing = fdopendir(opened);
    if (listing == NULL)
        return -errno;
    berth_fd_steal(&opened); /* the listing's */
    int result = 0;
    struct dirent *found;
    while (result == 0 && (found = readdir(listing)) != NULL) {
        if (g_str_equal(found->d_name, ".") || g_str_equal(found->d_name, ".."))
            continue;
        berth_autofd int child = openat(from, found->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        result = child < 0 ? -errno : overlay_copy_tree(child, made, found->d_name);
    }
    closedir(listing);
    return result < 0 ? result : overlay_copy_state(from, info, made);
}

int overlay_copy_tree(int from, int directory, const char *name)
{
    struct stat info;
    if (fstat(from, &info) < 0)
        return -errno;
    int result = overlay_copy(from, &info, directory, name);
    return result == 0 && S_ISDIR(info.st_mode) ? copy_entries(from, &info, directory, name)
                                                : result;
}

/* Remove what is in directory @fd, which is consumed. */
static void empty(int fd)
{
    DIR *listing = fdopendir(fd);
    if (listing == NULL) {
        berth_fd_close(&fd);
        return;
    }
    for (struct dirent *found; (found = readdir(listing)) != NULL;)
        if (!g_str_equal(found->d_name, ".") && !g_str_equal(found->d_name, ".."))
            overlay_remove_all(dirfd(listing), found->d_name);
    closedir(listing);
}

/* One level of recursion for each of the tree, whose depth the guest's kernel limits by that of a
 * path. */
void overlay_remove_all(int directory, const char *name)
{
    if (unlinkat(directory, name, 0) == 0 || (errno != EISDIR && errno != EPERM))
        return;
    int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        empty(fd);
    unlinkat(directory, name, AT_REMOVEDIR);
}

void overlay_lower_name(BerthOverlay *overlay, char name[OVERLAY_LOWER_NAME_SIZE])
{
    char work[OVERLAY_NAME_SIZE];
    overlay_work_name(overlay, work);
    snprintf(name, OVERLAY_LOWER_NAME_SIZE, BERTH_OVERLAY_ACCEPTING "%s", work);
}

/* ---- removing later ---- */

void berth_overlay_defer_removals(BerthOverlay *overlay)
{
    if (overlay->removed == NULL)
        overlay->removed = g_ptr_array_new_with_free_func(g_free);
}

void overlay_remove_later(BerthOverlay *overlay, const char *name)
{
    if (overlay->removed != NULL)
        g_ptr_array_add(overlay->removed, g_strdup(name));
    else
        overlay_remove_all(overlay->work, name);
}

void overlay_remove_deferred(BerthOverlay *overlay)
{
    for (guint i = 0; overlay->removed != NULL && i < overlay->removed->len; i++)
        overlay_remove_all(overlay->work, overlay->removed->pdata[i]);
    g_clear_pointer(&overlay->removed, g_ptr_array_unref);
}

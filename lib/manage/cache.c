/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include "base/error.h"
#include "base/fd.h"
#include "cache_entry.h"
#include "disk/file/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define NEW_PREFIX    ".new-"
#define COMPARE_BLOCK (1 << 20)

/* Without reflinks a copy is several times faster than this rate, so an image that was made faster
 * is not worth its space; this keeps images of xz and bzip2 archives. Nor is an image that took
 * less than WORTH_USEC. */
#define WORTH_BYTES_PER_SEC (G_GUINT64_CONSTANT(125) << 20)
#define WORTH_USEC          (G_USEC_PER_SEC / 2)

static bool set_errno(GError **error, int errnum, const char *path)
{
    berth_error_set_errno(error, errnum, "cache", "%s", path);
    return false;
}

/* --- the directory --- */

static int open_directory(const BerthCache *cache, bool make)
{
    if (make)
        g_mkdir_with_parents(cache->directory, 0700);
    return open(cache->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_entry(int directory, const char *key)
{
    return openat(directory, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Lock the directory: held while entries are added or removed, not while images are read or
 * written. */
static int lock_directory(int directory)
{
    berth_autofd int fd = openat(directory, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int result;
    do
        result = fd >= 0 ? flock(fd, LOCK_EX) : -1;
    while (result < 0 && errno == EINTR);
    return result == 0 ? berth_fd_steal(&fd) : -1;
}

static void remove_entry(int directory, const char *key)
{
    berth_autofd int entry = open_entry(directory, key);
    int listing = entry >= 0 ? openat(entry, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *dir = listing >= 0 ? fdopendir(listing) : NULL;
    if (dir == NULL)
        return;
    unlinkat(entry, "about", 0); /* first, since that invalidates the entry */
    for (struct dirent *item; (item = readdir(dir)) != NULL;)
        unlinkat(entry, item->d_name, 0);
    closedir(dir);
    unlinkat(directory, key, AT_REMOVEDIR);
}

/* Whether an entry without "about" is unlocked: a process that is making it would hold a lock. */
static bool is_abandoned(int directory, const char *key)
{
    berth_autofd int entry = open_entry(directory, key);
    return entry >= 0 && flock(entry, LOCK_EX | LOCK_NB) == 0;
}

static int by_use(gconstpointer a, gconstpointer b)
{
    const BerthCacheEntry *first = *(BerthCacheEntry *const *)a;
    const BerthCacheEntry *second = *(BerthCacheEntry *const *)b;
    return (first->used_usec < second->used_usec) - (first->used_usec > second->used_usec);
}

/* The entries of @directory; adds the names of all other files to @broken (may be NULL). */
static GPtrArray *list_entries(int directory, GPtrArray *broken)
{
    GPtrArray *entries = g_ptr_array_new_with_free_func((GDestroyNotify)berth_cache_entry_free);
    int listing = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = listing >= 0 ? fdopendir(listing) : NULL;
    if (dir == NULL)
        return entries;
    for (struct dirent *item; (item = readdir(dir)) != NULL;) {
        bool is_new = g_str_has_prefix(item->d_name, NEW_PREFIX);
        if (item->d_name[0] == '.' && !is_new)
            continue;
        berth_autofd int entry_fd = is_new ? -1 : open_entry(directory, item->d_name);
        berth_autofd int image = -1;
        BerthCacheEntry *entry =
            entry_fd >= 0 ? berth_cache_entry_read(entry_fd, item->d_name, &image) : NULL;
        if (entry != NULL)
            g_ptr_array_add(entries, entry);
        else if (broken != NULL && (!is_new || is_abandoned(directory, item->d_name)))
            g_ptr_array_add(broken, g_strdup(item->d_name));
    }
    closedir(dir);
    g_ptr_array_sort(entries, by_use);
    return entries;
}

GPtrArray *berth_cache_list(const BerthCache *cache)
{
    berth_autofd int directory = open_directory(cache, false);
    return list_entries(directory, NULL);
}

/* --- lookup --- */

void berth_cache_identify(const BerthCache *cache, BerthCacheArchive *archive)
{
    if (cache->limit == 0)
        archive->identity = NULL;
    else if (archive->digest != NULL)
        archive->identity = g_strconcat("sha256:", archive->digest, NULL);
    else
        archive->identity = berth_cache_entry_identity(archive->fd);
}

/* Compare the same block of two files; -1 if it cannot be read in full. */
static int compare_block(int a, int b, guint8 *buffer, guint64 at, guint64 size)
{
    gsize length = (gsize)MIN(size - at, COMPARE_BLOCK);
    ssize_t first = pread(a, buffer, length, (off_t)at);
    ssize_t second = pread(b, buffer + COMPARE_BLOCK, length, (off_t)at);
    return first == (ssize_t)length && second == first &&
                   memcmp(buffer, buffer + COMPARE_BLOCK, length) == 0
               ? (int)length
               : -1;
}

static bool same_bytes(int a, int b, guint64 size, const BerthWatch *watch)
{
    g_autofree guint8 *buffer = g_malloc(2 * COMPARE_BLOCK);
    for (guint64 at = 0; at < size;) {
        int length = compare_block(a, b, buffer, at, size);
        if (length < 0 || (watch->progress != NULL && !watch->progress(at, size, watch->user_data)))
            return false;
        at += (guint64)length;
    }
    return true;
}

/* Whether a file that @entry was made from still exists and has the bytes of @archive. */
static bool is_copy(const BerthCacheEntry *entry, const BerthCacheArchive *archive,
                    const BerthWatch *watch)
{
    struct stat st;
    if (fstat(archive->fd, &st) < 0 || (guint64)st.st_size != entry->archive_size ||
        entry->origin[0] != '/')
        return false;
    berth_autofd int origin = open(entry->origin, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    g_autofree char *identity = origin >= 0 ? berth_cache_entry_identity(origin) : NULL;
    return identity != NULL && berth_cache_entry_knows(entry, identity) &&
           same_bytes(origin, archive->fd, entry->archive_size, watch);
}

static BerthCacheEntry *choose(int directory, const BerthCacheArchive *archive,
                               const BerthWatch *watch)
{
    g_autoptr(GPtrArray) entries = list_entries(directory, NULL);
    for (guint i = entries->len; i > 0; i--) {
        const BerthCacheEntry *entry = entries->pdata[i - 1];
        if (strcmp(entry->options, archive->options) != 0)
            g_ptr_array_remove_index(entries, i - 1);
        else if (berth_cache_entry_knows(entry, archive->identity))
            return g_ptr_array_steal_index(entries, i - 1);
    }
    for (guint i = 0; i < entries->len; i++)
        if (is_copy(entries->pdata[i], archive, watch))
            return g_ptr_array_steal_index(entries, i);
    return NULL;
}

int berth_cache_find(const BerthCache *cache, const BerthCacheArchive *archive,
                     const BerthWatch *watch, BerthCacheEntry **ret_entry)
{
    if (archive->identity == NULL)
        return -1;
    berth_autofd int directory = open_directory(cache, false);
    g_autoptr(BerthCacheEntry) chosen = directory >= 0 ? choose(directory, archive, watch) : NULL;
    if (chosen == NULL)
        return -1;

    /* Read the entry again, since it may have been removed meanwhile. */
    berth_autofd int entry_fd = open_entry(directory, chosen->key);
    int image = -1;
    BerthCacheEntry *entry =
        entry_fd >= 0 ? berth_cache_entry_read(entry_fd, chosen->key, &image) : NULL;
    if (entry == NULL)
        return -1;
    if (!berth_cache_entry_knows(entry, archive->identity)) {
        berth_cache_entry_learn(entry, archive->identity);
        berth_cache_entry_write(entry_fd, entry);
    }
    utimensat(entry_fd, "about", NULL, 0); /* marks it as used now */
    *ret_entry = entry;
    return image;
}

/* --- adding --- */

/* Remove the least recently used images until @needed bytes fit. The caller holds the lock. */
static void evict(int directory, guint64 limit, guint64 needed)
{
    g_autoptr(GPtrArray) broken = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) entries = list_entries(directory, broken);
    for (guint i = 0; i < broken->len; i++)
        remove_entry(directory, broken->pdata[i]);
    guint64 used = needed;
    for (guint i = 0; i < entries->len; i++) {
        const BerthCacheEntry *entry = entries->pdata[i];
        used += entry->disk_used;
        if (used > limit)
            remove_entry(directory, entry->key);
    }
}

/* Create a locked directory for a new entry; its name in *ret_name. */
static int make_new(int directory, char **ret_name)
{
    berth_autofd int lock = lock_directory(directory);
    g_autofree char *name = g_strdup_printf(NEW_PREFIX "%08x%08x", g_random_int(), g_random_int());
    if (lock < 0 || mkdirat(directory, name, 0700) < 0)
        return -1;
    berth_autofd int entry = open_entry(directory, name);
    if (entry < 0 || flock(entry, LOCK_EX | LOCK_NB) < 0)
        return -1;
    *ret_name = g_steal_pointer(&name);
    return berth_fd_steal(&entry);
}

/* Reflink the image, or copy it if that is worthwhile. *@ret_kept: done. */
static bool fill(int image, int output, const struct stat *st, gint64 made_usec, bool *ret_kept,
                 GError **error)
{
    const guint64 block = 512;
    guint64 used = (guint64)st->st_blocks * block;
    struct statvfs place;
    *ret_kept = ioctl(output, FICLONE, image) == 0;
    if (*ret_kept)
        return true;
    bool worth =
        made_usec >= WORTH_USEC && (guint64)made_usec > used * G_USEC_PER_SEC / WORTH_BYTES_PER_SEC;
    /* Do not fill the disk with the cache. */
    bool room =
        fstatvfs(output, &place) == 0 && (guint64)place.f_bavail * place.f_frsize > 2 * used;
    if (!worth || !room)
        return true;
    *ret_kept = berth_copy(image, output, "cache", "the new image", NULL, NULL, NULL, error);
    return *ret_kept;
}

static bool make_entry(int entry_fd, BerthCacheEntry *entry, int image, gint64 made_usec,
                       bool *ret_kept, GError **error)
{
    struct stat st;
    berth_autofd int output =
        openat(entry_fd, "disk.ext4", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (output < 0 || fstat(image, &st) < 0)
        return set_errno(error, errno, "disk.ext4");
    if (!fill(image, output, &st, made_usec, ret_kept, error) || !*ret_kept)
        return *ret_kept || error == NULL || *error == NULL;
    if (fdatasync(output) < 0 || fstat(output, &st) < 0)
        return set_errno(error, errno, "disk.ext4");
    berth_cache_entry_measure(entry, &st);
    int errnum = berth_cache_entry_write(entry_fd, entry);
    return errnum == 0 || set_errno(error, errnum, "about");
}

static BerthCacheEntry *describe(const BerthCacheArchive *archive, guint64 entries)
{
    struct stat st;
    if (archive->fd >= 0 && fstat(archive->fd, &st) < 0)
        return NULL;
    BerthCacheEntry *entry = g_new0(BerthCacheEntry, 1);
    g_autofree char *text = g_strconcat(archive->identity, "\n", archive->options, NULL);
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    entry->key = g_strndup(digest, 16);
    entry->origin =
        g_utf8_validate(archive->origin, -1, NULL) ? g_strdup(archive->origin) : g_strdup("?");
    entry->options = g_strdup(archive->options);
    entry->archive_size = archive->fd >= 0 ? (guint64)st.st_size : archive->size;
    entry->entries = entries;
    berth_cache_entry_learn(entry, archive->identity);
    return entry;
}

/* Whether the archive did not change while it was read. One with a digest is checked by its
 * reader's caller. */
static bool is_unchanged(const BerthCacheArchive *archive)
{
    if (archive->digest != NULL)
        return true;
    off_t at = lseek(archive->fd, 0, SEEK_CUR);
    lseek(archive->fd, 0, SEEK_SET);
    g_autofree char *identity = berth_cache_entry_identity(archive->fd);
    lseek(archive->fd, at, SEEK_SET);
    return g_strcmp0(identity, archive->identity) == 0;
}

/* Rename the new entry into place, unless the same one exists or it alone exceeds the limit. */
static void put_in_place(const BerthCache *cache, int directory, const char *name,
                         const BerthCacheEntry *entry)
{
    berth_autofd int lock = lock_directory(directory);
    bool fits = entry->disk_used <= cache->limit;
    if (lock >= 0 && fits)
        evict(directory, cache->limit, entry->disk_used);
    if (lock < 0 || !fits ||
        renameat2(directory, name, directory, entry->key, RENAME_NOREPLACE) < 0)
        remove_entry(directory, name);
}

bool berth_cache_keep(const BerthCache *cache, const BerthCacheArchive *archive, int image,
                      guint64 entries, gint64 made_usec, GError **error)
{
    if (archive->identity == NULL || !is_unchanged(archive))
        return true;
    g_autoptr(BerthCacheEntry) entry = describe(archive, entries);
    berth_autofd int directory = open_directory(cache, true);
    g_autofree char *name = NULL;
    berth_autofd int entry_fd = directory >= 0 ? make_new(directory, &name) : -1;
    if (entry == NULL || entry_fd < 0)
        return set_errno(error, errno, cache->directory);

    bool kept = false;
    bool ok = make_entry(entry_fd, entry, image, made_usec, &kept, error);
    if (ok && kept)
        put_in_place(cache, directory, name, entry);
    else
        remove_entry(directory, name);
    return ok;
}

bool berth_cache_prune(const BerthCache *cache, bool all, guint *ret_count, guint64 *ret_freed,
                       GError **error)
{
    *ret_count = 0;
    *ret_freed = 0;
    berth_autofd int directory = open_directory(cache, false);
    if (directory < 0)
        return errno == ENOENT || set_errno(error, errno, cache->directory);
    berth_autofd int lock = lock_directory(directory);
    if (lock < 0)
        return set_errno(error, errno, cache->directory);

    g_autoptr(GPtrArray) before = list_entries(directory, NULL);
    evict(directory, all ? 0 : cache->limit, 0);
    g_autoptr(GPtrArray) after = list_entries(directory, NULL);
    for (guint i = 0; i < before->len; i++)
        *ret_freed += ((const BerthCacheEntry *)before->pdata[i])->disk_used;
    for (guint i = 0; i < after->len; i++)
        *ret_freed -= ((const BerthCacheEntry *)after->pdata[i])->disk_used;
    *ret_count = before->len - after->len;
    return true;
}

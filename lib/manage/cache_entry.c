/* SPDX-License-Identifier: MIT */
#include "cache_entry.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GROUP         "image"
#define FORMAT        1
#define ABOUT_MAX     65536
#define NSEC_PER_USEC 1000
#define NSEC_PER_SEC  G_GINT64_CONSTANT(1000000000)

/* The resolution of file times; whole seconds on some file systems (FAT: two). */
#define TICK_NSEC        (20 * 1000 * NSEC_PER_USEC)
#define COARSE_TICK_NSEC (2 * NSEC_PER_SEC)

void berth_cache_entry_free(BerthCacheEntry *entry)
{
    if (entry == NULL)
        return;
    g_free(entry->key);
    g_free(entry->origin);
    g_free(entry->options);
    g_strfreev(entry->identities);
    g_free(entry);
}

static gint64 nsec_of(const struct timespec *time)
{
    return (gint64)time->tv_sec * NSEC_PER_SEC + time->tv_nsec;
}

/* Whether any later write would change the file's times. */
static bool is_settled(const struct stat *st)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    bool coarse = st->st_ctim.tv_nsec == 0 && st->st_mtim.tv_nsec == 0;
    return nsec_of(&now) - nsec_of(&st->st_ctim) > (coarse ? COARSE_TICK_NSEC : TICK_NSEC);
}

char *berth_cache_entry_identity(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_CUR) != 0 ||
        !is_settled(&st))
        return NULL;
    return g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT
                           ":%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT,
                           (guint64)st.st_dev, (guint64)st.st_ino, (guint64)st.st_size,
                           nsec_of(&st.st_mtim), nsec_of(&st.st_ctim));
}

bool berth_cache_entry_knows(const BerthCacheEntry *entry, const char *identity)
{
    return g_strv_contains((const char *const *)entry->identities, identity);
}

void berth_cache_entry_learn(BerthCacheEntry *entry, const char *identity)
{
    guint count = entry->identities != NULL ? g_strv_length(entry->identities) : 0;
    entry->identities = g_renew(char *, entry->identities, count + 2);
    entry->identities[count] = g_strdup(identity);
    entry->identities[count + 1] = NULL;
}

void berth_cache_entry_measure(BerthCacheEntry *entry, const struct stat *image)
{
    const guint64 block = 512; /* the unit of st_blocks on every file system */
    entry->disk_size = (guint64)image->st_size;
    entry->disk_used = (guint64)image->st_blocks * block;
    entry->disk_changed_nsec = nsec_of(&image->st_mtim);
}

/* --- the file --- */

static char *read_text(int directory)
{
    berth_autofd int fd = openat(directory, "about", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    g_autofree char *text = g_malloc(ABOUT_MAX + 1);
    gsize size = 0;
    while (fd >= 0 && size < ABOUT_MAX) {
        ssize_t part = read(fd, text + size, ABOUT_MAX - size);
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0) {
            text[size] = '\0';
            return part == 0 && g_utf8_validate(text, (gssize)size, NULL) ? g_steal_pointer(&text)
                                                                          : NULL;
        }
        size += (gsize)part;
    }
    return NULL;
}

static BerthCacheEntry *parse(const char *text)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    if (!g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_NONE, NULL) ||
        g_key_file_get_integer(file, GROUP, "format", NULL) != FORMAT)
        return NULL;
    g_autoptr(BerthCacheEntry) entry = g_new0(BerthCacheEntry, 1);
    entry->origin = g_key_file_get_string(file, GROUP, "origin", NULL);
    entry->options = g_key_file_get_string(file, GROUP, "options", NULL);
    entry->identities = g_key_file_get_string_list(file, GROUP, "archives", NULL, NULL);
    entry->archive_size = g_key_file_get_uint64(file, GROUP, "archive-size", NULL);
    entry->entries = g_key_file_get_uint64(file, GROUP, "entries", NULL);
    entry->disk_size = g_key_file_get_uint64(file, GROUP, "disk-size", NULL);
    entry->disk_changed_nsec = g_key_file_get_int64(file, GROUP, "disk-changed", NULL);
    return entry->origin != NULL && entry->options != NULL && entry->identities != NULL
               ? g_steal_pointer(&entry)
               : NULL;
}

/* Open the image; -1 unless it is unchanged since "about" was written. */
static int open_image(int directory, BerthCacheEntry *entry)
{
    struct stat st;
    berth_autofd int fd = openat(directory, "disk.ext4", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        (guint64)st.st_size != entry->disk_size || nsec_of(&st.st_mtim) != entry->disk_changed_nsec)
        return -1;
    berth_cache_entry_measure(entry, &st);
    return berth_fd_steal(&fd);
}

BerthCacheEntry *berth_cache_entry_read(int directory, const char *key, int *ret_image)
{
    g_autofree char *text = read_text(directory);
    g_autoptr(BerthCacheEntry) entry = text != NULL ? parse(text) : NULL;
    struct stat about;
    if (entry == NULL || fstatat(directory, "about", &about, AT_SYMLINK_NOFOLLOW) < 0)
        return NULL;
    int image = open_image(directory, entry);
    if (image < 0)
        return NULL;
    entry->key = g_strdup(key);
    entry->used_usec = nsec_of(&about.st_mtim) / NSEC_PER_USEC;
    *ret_image = image;
    return g_steal_pointer(&entry);
}

static char *format(const BerthCacheEntry *entry)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_key_file_set_integer(file, GROUP, "format", FORMAT);
    g_key_file_set_string(file, GROUP, "origin", entry->origin);
    g_key_file_set_string(file, GROUP, "options", entry->options);
    g_key_file_set_string_list(file, GROUP, "archives", (const char *const *)entry->identities,
                               g_strv_length(entry->identities));
    g_key_file_set_uint64(file, GROUP, "archive-size", entry->archive_size);
    g_key_file_set_uint64(file, GROUP, "entries", entry->entries);
    g_key_file_set_uint64(file, GROUP, "disk-size", entry->disk_size);
    g_key_file_set_int64(file, GROUP, "disk-changed", entry->disk_changed_nsec);
    return g_key_file_to_data(file, NULL, NULL);
}

int berth_cache_entry_write(int directory, const BerthCacheEntry *entry)
{
    g_autofree char *text = format(entry);
    g_autofree char *name = g_strdup_printf(".about-%d", (int)getpid());
    berth_autofd int fd =
        openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && berth_fd_write_all(fd, text, strlen(text)) == 0 && fdatasync(fd) == 0 &&
        renameat(directory, name, directory, "about") == 0)
        return 0;
    int errnum = errno;
    unlinkat(directory, name, 0);
    return errnum;
}

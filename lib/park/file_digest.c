/* SPDX-License-Identifier: MIT */
#include "file_digest.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRECTORY    "digests"
#define SETTLED_NSEC (100 * G_GINT64_CONSTANT(1000000)) /* longer than a step of a file's times */
#define DIGITS       (2 * BERTH_SHA256_SIZE)
#define ENTRY_MAX    1024 /* bytes */

/* The file, as of now, with a colon at the end. */
static char *describe(const struct stat *st)
{
    return g_strdup_printf("%llu:%llu:%lld:%lld.%09ld:%lld.%09ld:", (unsigned long long)st->st_dev,
                           (unsigned long long)st->st_ino, (long long)st->st_size,
                           (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
                           (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

static bool parse_digest(const char *digits, guint8 digest[BERTH_SHA256_SIZE])
{
    if (strlen(digits) != DIGITS)
        return false;
    for (guint i = 0; i < BERTH_SHA256_SIZE; i++) {
        int high = g_ascii_xdigit_value(digits[2 * i]);
        int low = g_ascii_xdigit_value(digits[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        digest[i] = (guint8)(high << 4 | low);
    }
    return true;
}

static bool read_all(int fd, BerthSha256 *sha256)
{
    guint8 bytes[65536];
    ssize_t size;
    while ((size = read(fd, bytes, sizeof(bytes))) > 0)
        berth_sha256_update(sha256, bytes, (gsize)size);
    return size == 0;
}

static char *digits_of(const char *text)
{
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    berth_sha256_update(sha256, text, strlen(text));
    return berth_sha256_format(sha256);
}

/* --- the cache -------------------------------------------------------------------------------- */

static char *entry_path(const char *path, const char *cache_dir)
{
    g_autofree char *name = digits_of(path);
    return g_build_filename(cache_dir, DIRECTORY, name, NULL);
}

/* The entry if it begins with @now; else NULL. Its last line is a checksum. */
static char *load(const char *path, const char *now)
{
    char text[ENTRY_MAX + 1];
    guint8 digest[BERTH_SHA256_SIZE];
    berth_autofd int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, ENTRY_MAX) : -1;
    if (size <= 0)
        return NULL;
    text[size] = '\0';
    g_auto(GStrv) lines = g_strsplit(text, "\n", 3);
    if (g_strv_length(lines) != 3 || !g_str_has_prefix(lines[0], now) ||
        !parse_digest(lines[0] + strlen(now), digest))
        return NULL;
    g_autofree char *check = digits_of(lines[0]);
    return g_str_equal(check, lines[1]) && lines[2][0] == '\0' ? g_strdup(lines[0]) : NULL;
}

/* Best effort: what is not cached is read again. */
static void store(const char *path, const char *entry)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *check = digits_of(entry);
    g_autofree char *text = g_strdup_printf("%s\n%s\n", entry, check);
    if (g_mkdir_with_parents(directory, 0700) == 0)
        g_file_set_contents(path, text, -1, NULL); /* atomic: by rename */
}

/* --- the public part -------------------------------------------------------------------------- */

/* Not of a clock that was set back. */
static bool is_settled(const struct stat *st)
{
    const gint64 second = G_GINT64_CONSTANT(1000000000);
    struct timespec now;
    return clock_gettime(CLOCK_REALTIME, &now) == 0 &&
           (now.tv_sec - st->st_ctim.tv_sec) * second + now.tv_nsec - st->st_ctim.tv_nsec >
               SETTLED_NSEC;
}

char *berth_file_digest_known(const char *path, const char *cache_dir)
{
    struct stat st;
    berth_autofd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !is_settled(&st))
        return NULL;
    g_autofree char *now = describe(&st);
    g_autofree char *cached = entry_path(path, cache_dir);
    char *found = load(cached, now);
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    if (found != NULL || !read_all(fd, sha256))
        return found;
    g_autofree char *digits = berth_sha256_format(sha256);
    char *entry = g_strconcat(now, digits, NULL);
    store(cached, entry);
    return entry;
}

bool berth_file_digest(const char *path, char **known, guint8 ret_digest[BERTH_SHA256_SIZE],
                       GError **error)
{
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    struct stat st;
    berth_autofd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        berth_error_set_errno(error, errno, "park.identity", "%s", path);
        return false;
    }
    g_autofree char *now = describe(&st);
    for (; known != NULL && *known != NULL; known++)
        if (g_str_has_prefix(*known, now) && parse_digest(*known + strlen(now), ret_digest))
            return true;
    if (!read_all(fd, sha256)) {
        berth_error_set_errno(error, errno, "park.identity", "%s", path);
        return false;
    }
    berth_sha256_digest(sha256, ret_digest);
    return true;
}

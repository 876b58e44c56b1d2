/* SPDX-License-Identifier: MIT */
#include "download.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "download_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK     (1 << 18)
#define KEPT_DAYS 30
#define FILE_URL  "file://"

/* --- digests --- */

static bool set_cancelled(GError **error)
{
    berth_error_set(error, BERTH_ERROR_CANCELLED, "fetch.cancelled", NULL, "cancelled");
    return false;
}

/* Hash @fd from its beginning, to which it returns. */
static bool hash_file(int fd, BerthSha256 *sha256, const BerthWatch *watch, GError **error)
{
    g_autofree guint8 *block = g_malloc(BLOCK);
    struct stat st = {0};
    fstat(fd, &st);
    for (guint64 done = 0;;) {
        ssize_t size = pread(fd, block, BLOCK, (off_t)done);
        if (size == 0)
            return true;
        if (size < 0 && errno != EINTR) {
            berth_error_set_errno(error, errno, "fetch.read", "read the file");
            return false;
        }
        berth_sha256_update(sha256, block, (gsize)MAX(size, 0));
        done += (guint64)MAX(size, 0);
        if (watch->progress != NULL &&
            !watch->progress(done, (guint64)st.st_size, watch->user_data))
            return set_cancelled(error);
    }
}

void berth_download_set_digest_error(const BerthDownload *download, const char *actual,
                                     GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "fetch.digest",
                    "do not use this file, or correct the list that names it",
                    "%s: the SHA-256 of the file is %s, and %s was expected", download->url, actual,
                    download->sha256);
}

static bool check_digest(int fd, const BerthDownload *download, const BerthWatch *watch,
                         GError **error)
{
    if (download->sha256 == NULL)
        return true;
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    if (!hash_file(fd, sha256, watch, error))
        return false;
    g_autofree char *actual = berth_sha256_format(sha256);
    if (strcmp(actual, download->sha256) == 0)
        return true;
    berth_download_set_digest_error(download, actual, error);
    return false;
}

/* --- sources --- */

static int open_local(const BerthDownload *download, const BerthWatch *watch, char **ret_path,
                      GError **error)
{
    g_autofree char *path = g_filename_from_uri(download->url, NULL, NULL);
    berth_autofd int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (path == NULL)
        berth_error_set(error, BERTH_ERROR_INVALID, "fetch.url", NULL,
                        "%s: not the URL of a file on this host", download->url);
    else if (fd < 0)
        berth_error_set_errno(error, errno, "fetch.open", "%s", path);
    if (fd < 0 || !check_digest(fd, download, watch, error))
        return -1;
    *ret_path = g_steal_pointer(&path);
    return berth_fd_steal(&fd);
}

static int open_kept(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        futimens(fd, NULL); /* the last use, for berth_download_prune */
    return fd;
}

/* A kept file that is damaged is removed, as if it had not been there. */
static int find_kept(const BerthLayout *layout, const BerthDownload *download,
                     const BerthWatch *watch, char **ret_path, GError **error)
{
    g_autofree char *directory = berth_layout_downloads(layout);
    g_autofree char *name = berth_download_name(download);
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = open_kept(path);
    bool is_image = download->image != NULL;
    if (fd >= 0 && (is_image || check_digest(fd, download, watch, &problem))) {
        *ret_path = g_steal_pointer(&path);
        return berth_fd_steal(&fd);
    }
    if (berth_error_is(problem, BERTH_ERROR_CANCELLED))
        g_propagate_error(error, g_steal_pointer(&problem));
    else if (fd >= 0)
        unlink(path);
    return -1;
}

static bool is_local(const BerthDownload *download)
{
    return download->image == NULL && g_str_has_prefix(download->url, FILE_URL);
}

int berth_download_find(const BerthLayout *layout, const BerthDownload *download,
                        const BerthWatch *watch, char **ret_path, GError **error)
{
    *ret_path = NULL;
    if (is_local(download))
        return open_local(download, watch, ret_path, error);
    return download->sha256 != NULL ? find_kept(layout, download, watch, ret_path, error) : -1;
}

/* Download to a file that is not kept. */
static int open_once(const BerthLayout *layout, const BerthDownload *download,
                     const BerthWatch *watch, GError **error)
{
    g_autoptr(BerthDownloadFile) file = berth_download_file_new(layout, download, error);
    g_autofree char *digest =
        file != NULL ? berth_download_file_fetch(file, watch, NULL, error) : NULL;
    if (digest == NULL)
        return -1;
    berth_autofd int fd = fcntl(berth_download_file_fd(file), F_DUPFD_CLOEXEC, 3);
    if (fd >= 0 && lseek(fd, 0, SEEK_SET) == 0)
        return berth_fd_steal(&fd);
    berth_error_set_errno(error, errno, "fetch.read", "read the download");
    return -1;
}

int berth_download_open(const BerthLayout *layout, const char *url, guint64 size_max,
                        const BerthWatch *watch, GError **error)
{
    const BerthDownload download = {.url = url, .size_max = size_max};
    g_autofree char *path = NULL;
    return is_local(&download) ? open_local(&download, watch, &path, error)
                               : open_once(layout, &download, watch, error);
}

char *berth_download_text(const BerthLayout *layout, const char *url, gsize size_max,
                          const BerthWatch *watch, GError **error)
{
    berth_autofd int fd = berth_download_open(layout, url, size_max, watch, error);
    return fd >= 0 ? berth_fd_read_text(fd) : NULL;
}

/* --- the cache --- */

void berth_download_prune(const BerthLayout *layout, bool all, guint *ret_count, guint64 *ret_freed)
{
    g_autofree char *directory = berth_layout_downloads(layout);
    g_autoptr(GDir) names = g_dir_open(directory, 0, NULL);
    gint64 oldest = g_get_real_time() / G_USEC_PER_SEC - KEPT_DAYS * G_GINT64_CONSTANT(86400);
    const char *name;
    while (names != NULL && (name = g_dir_read_name(names)) != NULL) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        struct stat st;
        if (name[0] == '.' || lstat(path, &st) < 0 || (!all && st.st_mtime >= oldest) ||
            unlink(path) < 0)
            continue;
        *ret_count += 1;
        *ret_freed += (guint64)st.st_blocks * 512;
    }
}

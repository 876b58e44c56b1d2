/* SPDX-License-Identifier: MIT */
#include "download.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "disk/file/temp.h"
#include "watch.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
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
    berth_error_set(error, BERTH_ERROR_INVALID, "fetch.digest",
                    "do not use this file, or correct the list that names it",
                    "%s: the SHA-256 of the file is %s, and %s was expected", download->url, actual,
                    download->sha256);
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
    if (ret_path != NULL)
        *ret_path = g_steal_pointer(&path);
    return berth_fd_steal(&fd);
}

static bool run_fetch(const BerthLayout *layout, const BerthDownload *download, int fd,
                      const BerthWatch *watch, GError **error)
{
    g_autofree char *program = berth_layout_fetch_program(layout);
    g_autofree char *url = g_strconcat("url=", download->url, NULL);
    g_autofree char *size = g_strdup_printf("size-max=%" G_GUINT64_FORMAT, download->size_max);
    g_autofree char *sha256 =
        download->sha256 != NULL ? g_strconcat("sha256=", download->sha256, NULL) : NULL;
    const char *const options[] = {url, size, sha256, NULL};
    const BerthWorkerJob job = {.verb = "get",
                                .step = "fetch",
                                .what = "download",
                                .options = options,
                                .input = -1,
                                .output = fd,
                                .spool = -1};
    g_auto(BerthImageStatus) status = {0};
    return berth_worker_run(program, &job, berth_watch_progress, (gpointer)watch, &status, error) &&
           check_digest(fd, download, watch, error);
}

/* An unnamed file on the cache's file system, or in memory where that cannot be. */
static int make_unnamed(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : memfd_create("berth-download", MFD_CLOEXEC);
}

/* Download without a digest: the file is of no use to another install, and has no name. */
static int open_once(const BerthLayout *layout, const char *directory,
                     const BerthDownload *download, const BerthWatch *watch, GError **error)
{
    berth_autofd int fd = make_unnamed(directory);
    if (fd < 0) {
        berth_error_set_errno(error, errno, "fetch.open", "make a file for the download");
        return -1;
    }
    if (!run_fetch(layout, download, fd, watch, error) || lseek(fd, 0, SEEK_SET) < 0)
        return -1;
    return berth_fd_steal(&fd);
}

static int open_kept(const BerthLayout *layout, const char *directory,
                     const BerthDownload *download, const BerthWatch *watch, char **ret_path,
                     GError **error)
{
    g_autofree char *path = g_build_filename(directory, download->sha256, NULL);
    berth_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        g_autoptr(BerthTemp) temp = berth_temp_new_for("fetch", path, BERTH_TEMP_REPLACE, error);
        if (temp == NULL || !run_fetch(layout, download, berth_temp_fd(temp), watch, error) ||
            !berth_temp_commit(temp, error))
            return -1;
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0) {
        berth_error_set_errno(error, errno, "fetch.open", "%s", path);
        return -1;
    }
    futimens(fd, NULL); /* the last use, for berth_download_prune */
    if (ret_path != NULL)
        *ret_path = g_steal_pointer(&path);
    return berth_fd_steal(&fd);
}

int berth_download_open(const BerthLayout *layout, const BerthDownload *download,
                        const BerthWatch *watch, char **ret_path, GError **error)
{
    if (ret_path != NULL)
        *ret_path = NULL;
    if (g_str_has_prefix(download->url, FILE_URL))
        return open_local(download, watch, ret_path, error);
    g_autofree char *directory = berth_layout_downloads(layout);
    if (!berth_layout_make(directory, error))
        return -1;
    return download->sha256 != NULL ? open_kept(layout, directory, download, watch, ret_path, error)
                                    : open_once(layout, directory, download, watch, error);
}

char *berth_download_text(const BerthLayout *layout, const char *url, gsize size_max,
                          const BerthWatch *watch, GError **error)
{
    const BerthDownload download = {.url = url, .size_max = size_max};
    berth_autofd int fd = berth_download_open(layout, &download, watch, NULL, error);
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

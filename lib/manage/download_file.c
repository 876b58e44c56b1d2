/* SPDX-License-Identifier: MIT */
#include "download_file.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/file/temp.h"
#include "watch.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of an address that has others after it; berth-fetch tries the last one more often. */
#define TRIES_BEFORE_NEXT "tries=2"

struct BerthDownloadFile {
    const BerthLayout *layout;
    const BerthDownload *download;
    BerthTemp *temp; /* NULL: it cannot be kept */
    int unnamed;     /* then; else -1 */
};

char *berth_download_directory(const BerthLayout *layout, GError **error)
{
    g_autofree char *directory = berth_layout_downloads(layout);
    return berth_layout_make(directory, error) ? g_steal_pointer(&directory) : NULL;
}

char *berth_download_name(const BerthDownload *download)
{
    return g_strconcat(download->sha256, download->image != NULL ? ".image" : "", NULL);
}

void berth_download_file_free(BerthDownloadFile *file)
{
    if (file == NULL)
        return;
    berth_temp_free(file->temp);
    berth_fd_close(&file->unnamed);
    g_free(file);
}

/* A file on the cache's file system, or in memory where that cannot be: without a digest it is of
 * no use to another install. */
static bool make_unnamed(BerthDownloadFile *file, const char *directory, GError **error)
{
    file->unnamed = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file->unnamed < 0)
        file->unnamed = memfd_create("berth-download", MFD_CLOEXEC);
    if (file->unnamed < 0)
        berth_error_set_errno(error, errno, "fetch.open", "make a file for the download");
    return file->unnamed >= 0;
}

static bool make_named(BerthDownloadFile *file, const char *directory, GError **error)
{
    g_autofree char *name = berth_download_name(file->download);
    g_autofree char *path = g_build_filename(directory, name, NULL);
    file->temp = berth_temp_new_for("fetch", path, BERTH_TEMP_CACHE, error);
    return file->temp != NULL;
}

BerthDownloadFile *berth_download_file_new(const BerthLayout *layout, const BerthDownload *download,
                                           GError **error)
{
    g_autofree char *directory = berth_download_directory(layout, error);
    if (directory == NULL)
        return NULL;
    g_autoptr(BerthDownloadFile) file = g_new(BerthDownloadFile, 1);
    *file = (BerthDownloadFile){.layout = layout, .download = download, .unnamed = -1};
    bool made = download->sha256 != NULL ? make_named(file, directory, error)
                                         : make_unnamed(file, directory, error);
    return made ? g_steal_pointer(&file) : NULL;
}

int berth_download_file_fd(const BerthDownloadFile *file)
{
    return file->temp != NULL ? berth_temp_fd(file->temp) : file->unnamed;
}

char *berth_download_digest(const BerthImageStatus *status)
{
    const guint64 *words = &status->report[1];
    return g_strdup_printf("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER
                           "x%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x",
                           words[0], words[1], words[2], words[3]);
}

static char *fetch_from(BerthDownloadFile *file, const char *address, bool is_last,
                        const BerthWatch *watch, GError **error)
{
    const BerthDownload *download = file->download;
    g_autofree char *program = berth_layout_fetch_program(file->layout);
    g_autofree char *url = g_strconcat("url=", address, NULL);
    g_autofree char *size = g_strdup_printf("size-max=%" G_GUINT64_FORMAT, download->size_max);
    g_autofree char *sha256 =
        download->sha256 != NULL ? g_strconcat("sha256=", download->sha256, NULL) : NULL;
    const char *options[] = {url, size, NULL, NULL, NULL};
    gsize count = 2;
    if (sha256 != NULL)
        options[count++] = sha256;
    if (!is_last)
        options[count++] = TRIES_BEFORE_NEXT;
    const BerthWorkerJob job = {.verb = "get",
                                .step = "fetch",
                                .what = "download",
                                .options = options,
                                .input = -1,
                                .output = berth_download_file_fd(file),
                                .spool = -1};
    g_auto(BerthImageStatus) status = {0};
    return berth_worker_run(program, &job, berth_watch_progress, (gpointer)watch, &status, error)
               ? berth_download_digest(&status)
               : NULL;
}

/* Whether another address can do better: not after a cancel, nor after a failure of this host. */
static bool is_the_address_s(const GError *problem)
{
    static const char *const ours[] = {"fetch.cancelled", "fetch.write",   "fetch.worker",
                                       "fetch.confine",   "fetch.prepare", "import."};
    bool own = false;
    for (gsize i = 0; i < G_N_ELEMENTS(ours); i++)
        own = own || g_str_has_prefix(berth_error_id(problem), ours[i]);
    return !own;
}

char *berth_download_file_fetch(BerthDownloadFile *file, const BerthWatch *watch,
                                GAsyncQueue *notices, GError **error)
{
    const char *const *next = file->download->mirrors;
    for (const char *address = file->download->url;; address = *next++) {
        bool is_last = next == NULL || *next == NULL;
        g_autoptr(GError) problem = NULL;
        char *digest = fetch_from(file, address, is_last, watch, &problem);
        if (digest != NULL)
            return digest;
        bool goes_on = !is_last && is_the_address_s(problem);
        if (goes_on && ftruncate(berth_download_file_fd(file), 0) == 0) {
            if (notices != NULL)
                g_async_queue_push(notices, g_strdup_printf("%s; trying the next address: %s",
                                                            problem->message, *next));
            continue;
        }
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
}

bool berth_download_file_fetch_image(BerthDownloadFile *file, BerthProgressFunc progress,
                                     gpointer user_data, GError **error)
{
    return berth_image_download_run(file->layout, file->download, berth_download_file_fd(file),
                                    progress, user_data, error);
}

bool berth_download_file_keep(BerthDownloadFile *file, GError **error)
{
    return file->temp == NULL || berth_temp_commit(file->temp, error);
}

/* SPDX-License-Identifier: MIT
 *
 * download_file — a file that berth-fetch fills, from one of several addresses. For lib/manage
 * only.
 *
 * It has no name until it is kept. Errors: those of lib/fetch/get.h, "fetch.cancelled"; errno's,
 * "fetch.open.*", "fetch.create.*"; worker.h's.
 */
#pragma once

#include "base/progress.h"
#include "disk/file/status.h"
#include "download.h"

G_BEGIN_DECLS

typedef struct BerthDownloadFile BerthDownloadFile;

/* An empty file for @download, which is borrowed. */
BerthDownloadFile *berth_download_file_new(const BerthLayout *layout, const BerthDownload *download,
                                           GError **error);
void berth_download_file_free(BerthDownloadFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthDownloadFile, berth_download_file_free)

/* Open read-write; borrowed. */
int berth_download_file_fd(const BerthDownloadFile *file);

/* Try the addresses in order. Each failure but the last is a line for the user in @notices (char
 * *), which may be NULL. Returns the SHA-256 as berth-fetch says it; free with g_free. */
char *berth_download_file_fetch(BerthDownloadFile *file, const BerthWatch *watch,
                                GAsyncQueue *notices, GError **error);

/* The same for an image of a registry: @progress is berth-fetch's own, on this thread. */
bool berth_download_file_fetch_image(BerthDownloadFile *file, BerthProgressFunc progress,
                                     gpointer user_data, GError **error);

/* Give the file its name, if a SHA-256 is expected of it. It is not checked here. */
bool berth_download_file_keep(BerthDownloadFile *file, GError **error);

/* The name that @download is kept by, in that directory. Free with g_free. */
char *berth_download_name(const BerthDownload *download);

/* Have berth-fetch write the image of @download into the empty file @output. */
bool berth_image_download_run(const BerthLayout *layout, const BerthDownload *download, int output,
                              BerthProgressFunc progress, gpointer user_data, GError **error);

/* The digits in a report of berth-fetch. Free with g_free. */
char *berth_download_digest(const BerthImageStatus *status);

/* The directory @download is kept in, made if it is missing. Free with g_free. */
char *berth_download_directory(const BerthLayout *layout, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * download — files behind URLs: downloaded by berth-fetch, kept by their digest, or on this host
 * already.
 *
 * A download has no name until it is complete and has the expected digest, which this process
 * checks too: berth-fetch talks to anybody, and is believed nothing. Without an expected digest
 * nothing is kept, and what is kept is checked again before each use: by its reader if it is an
 * image of a registry. feed.h downloads what is large.
 *
 * Errors: those of lib/fetch/get.h, "fetch.cancelled"; errno's, "fetch.open.*"; worker.h's.
 */
#pragma once

#include "model/image_reference.h"
#include "store/layout.h"
#include "work.h"

G_BEGIN_DECLS

typedef struct {
    const char *url;            /* http, https or file */
    const char *const *mirrors; /* of the same file, for when @url fails: http or https, in this
                                   order; NULL: none */
    const char *sha256;         /* 64 lower-case hexadecimal digits; NULL: any file will do */
    guint64 size_max;           /* bytes */
    const BerthImageReference *image; /* instead of what is behind @url: the image with the digest
                                         @sha256; NULL: a file */
} BerthDownload;

/* The file of @download, open for reading at its beginning, if it is on this host: kept from before
 * or behind a file URL; with the expected digest. -1 without an error: it has to be downloaded.
 * *@ret_path is its absolute path; free with g_free. */
int berth_download_find(const BerthLayout *layout, const BerthDownload *download,
                        const BerthWatch *watch, char **ret_path, GError **error);

/* The file at @url, of at most @size_max bytes, open for reading at its beginning; -1 on error. */
int berth_download_open(const BerthLayout *layout, const char *url, guint64 size_max,
                        const BerthWatch *watch, GError **error);

/* The text at @url, of at most @size_max bytes. Free with g_free. */
char *berth_download_text(const BerthLayout *layout, const char *url, gsize size_max,
                          const BerthWatch *watch, GError **error);

/* "fetch.digest": @actual is the digest of what was behind @download. */
void berth_download_set_digest_error(const BerthDownload *download, const char *actual,
                                     GError **error);

/* Remove downloads that are kept: all, or those not used for 30 days. */
void berth_download_prune(const BerthLayout *layout, bool all, guint *ret_count,
                          guint64 *ret_freed);

G_END_DECLS

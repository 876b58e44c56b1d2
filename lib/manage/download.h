/* SPDX-License-Identifier: MIT
 *
 * download — opens the file behind an URL: downloaded by berth-fetch, kept by its digest, or on
 * this host already.
 *
 * A download has no name until it is complete and has the expected digest, which this process
 * checks too: berth-fetch talks to anybody, and is believed nothing. Without an expected digest
 * nothing is kept.
 *
 * Errors: those of lib/fetch/get.h, "fetch.cancelled"; errno's, "fetch.open.*"; worker.h's.
 */
#pragma once

#include "store/layout.h"
#include "work.h"

G_BEGIN_DECLS

typedef struct {
    const char *url;    /* http, https or file */
    const char *sha256; /* 64 lower-case hexadecimal digits; NULL: any file will do */
    guint64 size_max;   /* bytes */
} BerthDownload;

/* The file, open for reading at its beginning; -1 on error. *@ret_path, which may be NULL, is its
 * absolute path, or NULL if it has none; free with g_free. */
int berth_download_open(const BerthLayout *layout, const BerthDownload *download,
                        const BerthWatch *watch, char **ret_path, GError **error);

/* The text at @url, of at most @size_max bytes. Free with g_free. */
char *berth_download_text(const BerthLayout *layout, const char *url, gsize size_max,
                          const BerthWatch *watch, GError **error);

/* Remove downloads that are kept: all, or those not used for 30 days. */
void berth_download_prune(const BerthLayout *layout, bool all, guint *ret_count,
                          guint64 *ret_freed);

G_END_DECLS

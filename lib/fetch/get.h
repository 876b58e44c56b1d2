/* SPDX-License-Identifier: MIT
 *
 * get — downloads one file by HTTP or HTTPS: follows redirects, continues after a cut, waits and
 * tries again when the server asks for it, checks the digest.
 *
 * TLS is always verified, and no redirect leads from https to http. Proxies are those of the
 * environment (http_proxy, https_proxy, all_proxy, no_proxy). A part is asked for only of the very
 * version that was begun (If-Range), otherwise the download begins again. Blocks; progress is
 * reported fifty times a second, since a reader may follow the file. Borrows all that a request has. Several threads may download
 * at once.
 *
 * Errors: BERTH_ERROR_INVALID, "fetch.url", "fetch.tls", "fetch.redirect"; BERTH_ERROR_NOT_FOUND,
 * "fetch.resolve", "fetch.connect", "fetch.missing"; BERTH_ERROR_DENIED, "fetch.denied";
 * BERTH_ERROR_BUSY, "fetch.busy"; BERTH_ERROR_FAILED, "fetch.cut", "fetch.stalled",
 * "fetch.refused"; BERTH_ERROR_CANCELLED, "fetch.cancelled"; those of body.h.
 */
#pragma once

#include "base/progress.h"
#include "body.h"

G_BEGIN_DECLS

typedef struct {
    const char *url;
    const char *sha256;   /* as berth_fetch_body_finish takes it */
    guint64 size_max;     /* bytes; 0: no limit */
    guint stall_sec;      /* a connection without a byte for so long is given up */
    guint backoff_msec;   /* before the second try; doubles with each further one */
    guint tries;          /* in a row that get no further byte */
    const char *accept;   /* media types for the header Accept; NULL: any */
    const char *bearer;   /* a token, sent to the URL's own scheme, host and port only; or NULL */
    int output;           /* an empty file; -1: none */
    guint64 offset;       /* where the content begins in it */
    bool shared;          /* others write to the file too: it is never truncated */
    GByteArray *memory;   /* takes the content, too; or NULL */
    int caller;           /* a pipe: a wait ends when its reader has gone */
    int resolver;         /* resolver.h */
    GMutex *resolving;    /* held while it is asked; NULL: there are no other threads */
    GBytes *certificates; /* certificates.h, or NULL */
} BerthFetchRequest;

typedef struct {
    guint64 size;
    guint8 digest[BERTH_SHA256_SIZE];
    char *media_type; /* the last response's Content-Type, or NULL */
    char *challenge;  /* the same, WWW-Authenticate */
} BerthFetchReport;

void berth_fetch_report_clear(BerthFetchReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthFetchReport, berth_fetch_report_clear)

/* Once a process, before it is confined: libcurl and its TLS library read their files here. */
bool berth_fetch_prepare(GError **error);

/* *@ret_report has media_type and challenge after a failure, too. */
bool berth_fetch_get(const BerthFetchRequest *request, BerthProgressFunc progress,
                     gpointer user_data, BerthFetchReport *ret_report, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * body — the content of a download: written to a file, hashed, bounded.
 *
 * The digest covers what is in the file from its beginning, so that a download can continue after
 * a cut. A web page in the place of a file (a captive portal's log-in) is detected by its first
 * bytes. Sizes are bytes. Borrows the descriptor and the array.
 *
 * Errors: errno's, "fetch.write.*"; BERTH_ERROR_INVALID, "fetch.too-big", "fetch.web-page",
 * "fetch.digest".
 */
#pragma once

#include "base/sha256.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    int fd;             /* a file; -1: none */
    guint64 offset;     /* where the content begins in it */
    bool shared;        /* the file has other content, too: it is never truncated */
    GByteArray *memory; /* takes the content, too; or NULL */
    guint64 size_max;   /* 0: no limit */
    guint64 size;       /* so far */
    BerthSha256 *sha256;
    char start[64]; /* the first bytes */
} BerthFetchBody;

void berth_fetch_body_init(BerthFetchBody *body, int fd, guint64 size_max);
void berth_fetch_body_clear(BerthFetchBody *body);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthFetchBody, berth_fetch_body_clear)

/* Drop the content; the next byte is the first one. */
bool berth_fetch_body_restart(BerthFetchBody *body, GError **error);

bool berth_fetch_body_append(BerthFetchBody *body, const void *data, gsize size, GError **error);

/* Whether a file of @size bytes is allowed; with an error if not. */
bool berth_fetch_body_check_size(const BerthFetchBody *body, guint64 size, GError **error);

/* Check the complete content against @sha256 (64 hexadecimal digits, any case, perhaps after "0x";
 * NULL: any) and put its digest into @digest. */
bool berth_fetch_body_finish(BerthFetchBody *body, const char *sha256,
                             guint8 digest[BERTH_SHA256_SIZE], GError **error);

G_END_DECLS

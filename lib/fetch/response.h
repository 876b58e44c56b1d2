/* SPDX-License-Identifier: MIT
 *
 * response — what the headers of an HTTP response say about the file: its version, and which part
 * of it follows.
 *
 * Pure. Owns its strings. Headers that are malformed count as absent.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    char *etag;      /* a strong one, with its quotes; or NULL */
    char *modified;  /* Last-Modified, or NULL */
    char *challenge; /* WWW-Authenticate: of several the one for Bearer; or NULL */
    bool has_range;
    guint64 first; /* the byte of the file with which the part begins */
    guint64 total; /* bytes of the whole file; 0: unknown */
} BerthFetchResponse;

void berth_fetch_response_clear(BerthFetchResponse *response);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthFetchResponse, berth_fetch_response_clear)

/* Take in one header line of @size bytes. A status line begins a new response. */
void berth_fetch_response_feed(BerthFetchResponse *response, const char *line, gsize size);

/* The validator for If-Range (RFC 9110, 13.1.5); NULL if this version has none. Borrowed. */
const char *berth_fetch_response_version(const BerthFetchResponse *response);

G_END_DECLS

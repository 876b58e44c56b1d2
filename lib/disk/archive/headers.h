/* SPDX-License-Identifier: MIT
 *
 * headers — validates the headers of an uncompressed tar before libarchive parses them.
 *
 *     stream -> headers -> libarchive
 *                 \-> facts, one set per entry
 *
 * libarchive alone is not strict enough: it continues after a damaged header, reads a malformed
 * number as 0 (owner "x" becomes root), ignores global PAX headers and all but the last of several,
 * cuts names at a NUL, loses the sign of "-0.5", bounds neither entries nor sparse maps, and does
 * not report a missing end mark or a second archive. A full reader of our own would repeat
 * libarchive's four sparse formats and thirty years of dialects. So this module consumes extended
 * headers; libarchive gets each entry's own header and data, uncopied, preceded by one PAX header
 * with the records it needs. Matching positions verify that both see the same entries.
 *
 * Formats: POSIX ustar and pax; "Basic Tar Format" and "Storing Sparse Files" of GNU tar's manual.
 *
 * Ownership: the stream is borrowed; blocks are valid until the next call. Errors:
 * BERTH_ERROR_INVALID with "import.read.damaged", "import.read.truncated",
 * "import.read.unsupported", "import.read.too-large"; those of stream.h. Messages do not name the
 * archive.
 */
#pragma once

#include "ext_headers.h"
#include "stream.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* An entry costs 512 bytes in the archive (almost none compressed), about 200 in memory and 256 on
 * disk. No distro has a tenth of this number, and this number still fits in memory. */
#define BERTH_HEADERS_ENTRIES_LIMIT (10U * 1000 * 1000)

/* The body of one extended header: libarchive's limit, and 16 times XATTR_SIZE_MAX. */
#define BERTH_HEADERS_BODY_LIMIT (1U << 20)

/* One encoded sparse map; an extent takes 4 to 24 bytes in it, 40 in memory. */
#define BERTH_HEADERS_MAP_LIMIT (8U << 20)

typedef struct BerthHeaders BerthHeaders;

/* @head: the stream's first block, already read. @name is the prefix of warnings. */
BerthHeaders *berth_headers_new(BerthStream *stream, const char *name, const guint8 *head,
                                gsize head_size);
void berth_headers_free(BerthHeaders *headers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHeaders, berth_headers_free)

/* Another limit than BERTH_HEADERS_ENTRIES_LIMIT. */
void berth_headers_limit_entries(BerthHeaders *headers, guint64 limit);

/* The next bytes for libarchive; *ret_size is 0 at the end of the archive. */
bool berth_headers_read(BerthHeaders *headers, const guint8 **ret_data, gsize *ret_size,
                        GError **error);

/* Store the facts of the next forwarded entry in the empty *ret_facts; position is the offset of
 * its first header in the forwarded bytes. False when every forwarded entry was returned. */
bool berth_headers_next(BerthHeaders *headers, BerthFacts *ret_facts);

/* After the end of the archive: read the stream to its end. */
bool berth_headers_drain(BerthHeaders *headers, GError **error);

/* Warnings (char *) that begin with the name, without the stream's own. Borrowed. */
const GPtrArray *berth_headers_warnings(const BerthHeaders *headers);

G_END_DECLS

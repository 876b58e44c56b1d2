/* SPDX-License-Identifier: MIT
 *
 * headers — walks the headers of a plain tar in front of libarchive, and lets pass what is sound.
 *
 *     stream -> headers -> libarchive
 *                 \-> facts, one set per entry
 *
 * Why a walk of our own and not only libarchive: it goes on behind a header that is damaged, reads
 * what is no number as 0 (an owner "x" becomes root), ignores global PAX headers and all but the
 * last of several, cuts names at a NUL, loses the sign of "-0.5", bounds neither entries nor sparse
 * maps, and does not say that the end mark is missing or that another archive follows. Why not a
 * reader of our own then: four kinds of sparse map and thirty years of dialects are in libarchive
 * already. So special headers end here; libarchive gets each entry's own header and data, not
 * copied, and in front of them one PAX header with the records it is to know. That both see the
 * same entries is checked by their positions.
 *
 * Formats: POSIX ustar and pax; "Basic Tar Format" and "Storing Sparse Files" of GNU tar's manual.
 *
 * Ownership: the stream is borrowed; blocks are good until the next call. Errors:
 * BERTH_ERROR_INVALID with "import.read.damaged", "import.read.truncated",
 * "import.read.unsupported", "import.read.too-large"; what the stream gives. Messages do not name
 * the archive.
 */
#pragma once

#include "ext_headers.h"
#include "stream.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* An entry is 512 bytes in the archive, next to nothing of them when compressed, and about 200 in
 * our memory and 256 on the disk. No distro has a tenth of this many, and this many still fit. */
#define BERTH_HEADERS_ENTRIES_LIMIT (10U * 1000 * 1000)

/* The body of one special header: as much as libarchive takes, and sixteen times the largest
 * attribute Linux allows. */
#define BERTH_HEADERS_BODY_LIMIT (1U << 20)

/* One sparse map as it stands in the archive; a piece takes 4 to 24 bytes there, 40 in memory. */
#define BERTH_HEADERS_MAP_LIMIT (8U << 20)

typedef struct BerthHeaders BerthHeaders;

/* @head: the stream's first block, which was read already. @name stands in front of warnings. */
BerthHeaders *berth_headers_new(BerthStream *stream, const char *name, const guint8 *head,
                                gsize head_size);
void berth_headers_free(BerthHeaders *headers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHeaders, berth_headers_free)

/* Another limit than BERTH_HEADERS_ENTRIES_LIMIT. */
void berth_headers_limit_entries(BerthHeaders *headers, guint64 limit);

/* The next bytes for libarchive; *ret_size is 0 at the end of the archive. */
bool berth_headers_read(BerthHeaders *headers, const guint8 **ret_data, gsize *ret_size,
                        GError **error);

/* The facts of the next entry into the empty *ret_facts, whose position is where its first header
 * begins in what was handed on. False: no header was that has not been asked for. */
bool berth_headers_next(BerthHeaders *headers, BerthFacts *ret_facts);

/* After the end of the archive: read the stream to its end. */
bool berth_headers_drain(BerthHeaders *headers, GError **error);

/* Strings that begin with the name; the stream's own are not among them. Borrowed. */
const GPtrArray *berth_headers_warnings(const BerthHeaders *headers);

G_END_DECLS

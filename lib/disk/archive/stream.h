/* SPDX-License-Identifier: MIT
 *
 * stream — the plain bytes of an archive: decompressed by a thread of its own, ahead of who reads.
 *
 *     source -> decode (gzip, xz, zstd, bzip2, lz4, none: told by content) -> ring -> reader
 *     source ------------ (a file that is plain already) ------------------------> reader
 *
 * All parts of the input count: gzip members, xz streams, zstd, lz4 and skippable frames, bzip2
 * streams. Zeros behind the last part are padding; anything else there is a warning and left out,
 * as the packers' own programs do it. The input is read to its very end.
 *
 * The end is reported only when every checksum and length held. What comes out may be compressed
 * again: that is not undone, and whoever looks at the bytes says so.
 *
 * Ownership: the stream takes the source; blocks are good until the next call. All calls from one
 * thread; freeing never waits for input.
 *
 * Errors: BERTH_ERROR_INVALID with "import.read.truncated", "import.read.damaged",
 * "import.read.too-large", "import.read.unsupported"; what reading the source gives. Messages do
 * not name the archive.
 */
#pragma once

#include "source.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* All blocks are this long but the last. */
#define BERTH_STREAM_BLOCK (256U << 10)

typedef struct BerthStream BerthStream;

/* @source is taken, also when this fails. @name stands in front of warnings. */
BerthStream *berth_stream_open(BerthSource *source, const char *name, GError **error);
void berth_stream_free(BerthStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthStream, berth_stream_free)

/* @tap gets every plain byte that is read, once and in order, in the reader's thread: the other has
 * more to do. Before the first read. */
void berth_stream_set_tap(BerthStream *stream, BerthSourceTap tap, gpointer user_data);

/* The next block; *ret_size is 0 at the end. */
bool berth_stream_read(BerthStream *stream, const guint8 **ret_data, gsize *ret_size,
                       GError **error);

/* The same, but the next read gives that block again. */
bool berth_stream_peek(BerthStream *stream, const guint8 **ret_data, gsize *ret_size,
                       GError **error);

/* Compressed bytes used so far. */
guint64 berth_stream_position(const BerthStream *stream);

/* What is worth telling though it is no error: strings. Complete once the end was read; borrowed.
 */
const GPtrArray *berth_stream_warnings(const BerthStream *stream);

G_END_DECLS

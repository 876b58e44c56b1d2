/* SPDX-License-Identifier: MIT
 *
 * stream — the uncompressed bytes of an archive, decompressed ahead of the reader by a worker
 * thread.
 *
 *     source -> decode (gzip, xz, zstd, bzip2, lz4, none: probed) -> ring -> reader
 *     source ------------ (a plain file) -----------------------------> reader, in its thread
 *
 * Decodes all concatenated parts: gzip members, xz streams, zstd, lz4 and skippable frames, bzip2
 * streams. Zeros after the last part are padding; other trailing bytes are ignored with a warning,
 * as the formats' own programs do. Reads the input to its end.
 *
 * Reports the end only after every checksum and length matched. Decompresses one level only; the
 * caller rejects doubly compressed input.
 *
 * Ownership: the stream takes the source; blocks are valid until the next call. Call from one
 * thread. Freeing never waits for input.
 *
 * Errors: BERTH_ERROR_INVALID with "import.read.truncated", "import.read.damaged",
 * "import.read.too-large", "import.read.unsupported"; those of source.h. Messages do not name the
 * archive.
 */
#pragma once

#include "source.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* The size of every block but the last. */
#define BERTH_STREAM_BLOCK (256U << 10)

typedef struct BerthStream BerthStream;

/* Takes @source, also on failure. @name is the prefix of warnings. */
BerthStream *berth_stream_open(BerthSource *source, const char *name, GError **error);
void berth_stream_free(BerthStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthStream, berth_stream_free)

/* Call @tap with every uncompressed byte read, once and in order, in the reader's thread, since the
 * worker is the bottleneck. Set before the first read. */
void berth_stream_set_tap(BerthStream *stream, BerthSourceTap tap, gpointer user_data);

/* The next block; *ret_size is 0 at the end. */
bool berth_stream_read(BerthStream *stream, const guint8 **ret_data, gsize *ret_size,
                       GError **error);

/* Like read, but the next read returns the same block again. */
bool berth_stream_peek(BerthStream *stream, const guint8 **ret_data, gsize *ret_size,
                       GError **error);

/* Compressed bytes consumed so far. */
guint64 berth_stream_position(const BerthStream *stream);

/* Warnings (char *), complete once the end was read; borrowed. */
const GPtrArray *berth_stream_warnings(const BerthStream *stream);

G_END_DECLS

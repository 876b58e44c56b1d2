/* SPDX-License-Identifier: MIT
 *
 * compress — compresses a byte stream to a descriptor on all processors.
 *
 * The output depends on the input bytes alone, not on threads or write sizes: gzip joins
 * independent blocks of a fixed size into one stream; xz and zstd have deterministic modes. The
 * programs of those names can read it.
 *
 *     reserve -> buffer of ours -> [commit] -> compressor -> descriptor
 *
 * The descriptor is borrowed: a file, pipe or socket, blocking or not. One thread calls; further
 * ones are the compressor's own. Errors: "export.write.*"; "export.write.closed" when nobody reads
 * any more.
 */
#pragma once

#include "format_probe.h"

G_BEGIN_DECLS

typedef struct BerthCompress BerthCompress;

/* @threads 0: one for each processor. @method is one of NONE, GZIP, XZ and ZSTD. */
BerthCompress *berth_compress_new(int fd, BerthCompression method, guint threads, GError **error);
void berth_compress_free(BerthCompress *compress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthCompress, berth_compress_free)

/* Get room for at least one byte of output; fill it, then commit it. */
bool berth_compress_reserve(BerthCompress *compress, guint8 **ret_buffer, gsize *ret_room,
                            GError **error);
void berth_compress_commit(BerthCompress *compress, gsize size);

/* Write bytes from a buffer of the caller's. */
bool berth_compress_write(BerthCompress *compress, const void *data, gsize size, GError **error);

/* End the stream. Nothing may be written after this. */
bool berth_compress_finish(BerthCompress *compress, GError **error);

/* Bytes written to the descriptor so far. */
guint64 berth_compress_written(const BerthCompress *compress);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * compress_gzip — a multi-threaded gzip writer.
 *
 * Deflates blocks of 512 KiB independently, each with the previous 32 KiB as its dictionary and
 * flushed to a byte boundary ("sync flush"), so that the results can be concatenated; their CRCs
 * are combined. Private to compress.c.
 */
#pragma once

#include "disk/file/output.h"

G_BEGIN_DECLS

typedef struct BerthGzipWriter BerthGzipWriter;

BerthGzipWriter *berth_gzip_writer_new(BerthOutput *output, guint threads);
bool berth_gzip_writer_write(BerthGzipWriter *writer, const guint8 *data, gsize size, bool last,
                             GError **error);
void berth_gzip_writer_free(BerthGzipWriter *writer);

G_END_DECLS

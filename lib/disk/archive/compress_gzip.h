/* SPDX-License-Identifier: MIT
 *
 * compress_gzip — a multi-threaded gzip writer.
 *
 * Blocks of 512 KiB are deflated each for itself, with the 32 KiB before as its dictionary, and end
 * on a byte ("sync flush"), so that they can be joined; their CRCs are combined. Private to
 * compress.c.
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

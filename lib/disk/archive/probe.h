/* SPDX-License-Identifier: MIT
 *
 * magic — what a stream of bytes is, from its beginning: 128 KiB are enough.
 *
 * Compression is told by content, never by a file's name; what is no tar is named for what it is,
 * so that the message can say "this is a VHDX disk image" rather than "unrecognized format". Pure.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_COMPRESSION_NONE,
    BERTH_COMPRESSION_GZIP,
    BERTH_COMPRESSION_XZ,
    BERTH_COMPRESSION_ZSTD,
    BERTH_COMPRESSION_BZIP2,
    BERTH_COMPRESSION_LZ4,
} BerthCompression;

/* The compression @head begins with. */
BerthCompression berth_probe_compression(const guint8 *head, gsize size);

typedef enum {
    BERTH_PROBE_TAR,         /* a tar header, or the zeros of an empty archive */
    BERTH_PROBE_DAMAGED_TAR, /* says it is a tar, but its first header is broken */
    BERTH_PROBE_OTHER,
} BerthProbe;

/* Whether uncompressed bytes are a tar. */
BerthProbe berth_probe_check_tar(const guint8 *head, gsize size);

/* What the bytes are, as in "it is %s", and what to do about it: both static, NULL when unknown. */
const char *berth_probe_describe(const guint8 *head, gsize size, const char **ret_hint);

G_END_DECLS

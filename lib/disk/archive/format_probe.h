/* SPDX-License-Identifier: MIT
 *
 * format_probe — identifies a stream's format from its first bytes; 128 KiB suffice.
 *
 * Detects compression by content, never by file name. Names foreign formats, so that a message can
 * say "this is a VHDX disk image" rather than "unrecognized format". Pure.
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

/* The compression format of @head. */
BerthCompression berth_format_compression(const guint8 *head, gsize size);

typedef enum {
    BERTH_FORMAT_TAR,         /* a tar header, or the zeros of an empty archive */
    BERTH_FORMAT_DAMAGED_TAR, /* has a tar signature, but a damaged first header */
    BERTH_FORMAT_OTHER,
} BerthFormat;

/* Probe uncompressed bytes for a tar. */
BerthFormat berth_format_check_tar(const guint8 *head, gsize size);

/* The format's name, to fill "it is %s", and a hint for the user. Both static, NULL when
 * unknown. */
const char *berth_format_describe(const guint8 *head, gsize size, const char **ret_hint);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * decode — the decompressors, all in one shape: bytes in, bytes out, until one part is complete.
 *
 * A part is what the format can repeat: a gzip member, an xz stream, a zstd or lz4 frame, a bzip2
 * stream. A part is complete only when every checksum and length it carries was right. What lies
 * between parts is the caller's matter (stream.h).
 *
 * Memory is bounded here, not by what the input asks for: see the limits in decode.c. The decoder
 * does no I/O; the xz decoder has threads of its own, which rest between calls.
 */
#pragma once

#include "probe.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_DECODE_MORE,        /* go on: with more input when it is used up, or more room */
    BERTH_DECODE_COMPLETE,    /* the part is complete and right */
    BERTH_DECODE_DAMAGED,     /* it cannot be decoded */
    BERTH_DECODE_CHECKSUM,    /* it can, but is not what was packed */
    BERTH_DECODE_TOO_LARGE,   /* it asks for more memory than we give */
    BERTH_DECODE_UNSUPPORTED, /* a feature or checksum the library does not know */
} BerthDecodeResult;

typedef struct {
    const guint8 *in; /* moves on with what was used */
    gsize in_size;
    bool in_ends; /* nothing comes after @in */
    guint8 *out;  /* moves on with what was made */
    gsize out_size;
} BerthDecodeIo;

typedef struct BerthDecoder BerthDecoder;

/* @compression is not NONE. */
BerthDecoder *berth_decoder_new(BerthCompression compression);
void berth_decoder_free(BerthDecoder *decoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthDecoder, berth_decoder_free)

/* Decode as far as input and room go. */
BerthDecodeResult berth_decoder_step(BerthDecoder *decoder, BerthDecodeIo *io);

/* After COMPLETE: be ready for the next part. */
void berth_decoder_restart(BerthDecoder *decoder);

/* What users call it: "gzip". */
const char *berth_decoder_name(const BerthDecoder *decoder);

/* What to do about TOO_LARGE. */
const char *berth_decoder_size_hint(const BerthDecoder *decoder);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * decode — a common streaming interface to the decompressors: bytes in, bytes out, one part at a
 * time.
 *
 * A part is the unit that a format can repeat: a gzip member, an xz stream, a zstd or lz4 frame, a
 * bzip2 stream. COMPLETE means that all its checksums and lengths matched. The caller handles the
 * bytes between parts (stream.h).
 *
 * The limits in decode.c bound memory whatever the input requests. No I/O. The xz decoder has
 * worker threads, idle between calls.
 */
#pragma once

#include "format_probe.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_DECODE_MORE,        /* call again with more input or more room */
    BERTH_DECODE_COMPLETE,    /* the part is complete and verified */
    BERTH_DECODE_DAMAGED,     /* malformed */
    BERTH_DECODE_CHECKSUM,    /* decoded, but the checksum differs */
    BERTH_DECODE_TOO_LARGE,   /* needs more memory than the limit */
    BERTH_DECODE_UNSUPPORTED, /* a feature or checksum that the library lacks */
} BerthDecodeResult;

typedef struct {
    const guint8 *in; /* advanced past consumed input */
    gsize in_size;
    bool in_ends; /* @in is the last input */
    guint8 *out;  /* advanced past produced output */
    gsize out_size;
} BerthDecodeIo;

typedef struct BerthDecoder BerthDecoder;

/* @compression is not NONE. */
BerthDecoder *berth_decoder_new(BerthCompression compression);
void berth_decoder_free(BerthDecoder *decoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthDecoder, berth_decoder_free)

/* Decode until the input or the room is used up, or the part ends. */
BerthDecodeResult berth_decoder_step(BerthDecoder *decoder, BerthDecodeIo *io);

/* After COMPLETE: prepare for the next part. */
void berth_decoder_restart(BerthDecoder *decoder);

/* The format's name in messages: "gzip". */
const char *berth_decoder_name(const BerthDecoder *decoder);

/* The hint of a TOO_LARGE error. */
const char *berth_decoder_size_hint(const BerthDecoder *decoder);

G_END_DECLS

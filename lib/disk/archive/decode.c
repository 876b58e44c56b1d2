/* SPDX-License-Identifier: MIT */
#include "decode.h"

#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

/* Four times what `xz -9` needs. Blocks are decoded in parallel as far as the limit allows (each
 * needs its dictionary and its whole output), else sequentially. */
#define XZ_MEMORY_LIMIT (G_GUINT64_CONSTANT(256) << 20)

/* 128 MiB: the window of `zstd --long`, and the default limit of `zstd -d`. */
#define ZSTD_WINDOW_LOG 27

/* One codec of the table below; @state is private to it. */
typedef struct {
    const char *name;
    const char *size_hint;
    void (*begin)(gpointer state);
    BerthDecodeResult (*step)(gpointer state, BerthDecodeIo *io);
    void (*restart)(gpointer state);
    void (*end)(gpointer state);
} Codec;

struct BerthDecoder {
    const Codec *codec;
    union {
        z_stream gzip;
        lzma_stream xz;
        ZSTD_DCtx *zstd;
        bz_stream bzip2;
        LZ4F_dctx *lz4;
    } state;
};

/* Clamp to the 32-bit sizes of the libraries. */
static guint clamp_size(gsize size)
{
    return (guint)MIN(size, G_MAXINT32);
}

static void moved(BerthDecodeIo *io, gsize in, gsize out)
{
    io->in += in;
    io->in_size -= in;
    io->out += out;
    io->out_size -= out;
}

/* --- gzip: in this mode zlib verifies the trailer --- */

static void gzip_begin(gpointer state)
{
    int result = inflateInit2(state, 15 + 16);
    g_assert(result == Z_OK);
}

static BerthDecodeResult gzip_step(gpointer state, BerthDecodeIo *io)
{
    z_stream *stream = state;
    guint in = clamp_size(io->in_size);
    guint out = clamp_size(io->out_size);
    stream->next_in = (guint8 *)io->in;
    stream->avail_in = in;
    stream->next_out = io->out;
    stream->avail_out = out;
    int result = inflate(stream, Z_NO_FLUSH);
    moved(io, in - stream->avail_in, out - stream->avail_out);
    if (result == Z_STREAM_END)
        return BERTH_DECODE_COMPLETE;
    if (result == Z_OK || result == Z_BUF_ERROR)
        return BERTH_DECODE_MORE;
    bool trailer = stream->msg != NULL && (g_str_has_suffix(stream->msg, "data check") ||
                                           g_str_has_suffix(stream->msg, "length check"));
    return trailer ? BERTH_DECODE_CHECKSUM : BERTH_DECODE_DAMAGED;
}

static void gzip_restart(gpointer state)
{
    int result = inflateReset(state);
    g_assert(result == Z_OK);
}

static void gzip_end(gpointer state)
{
    inflateEnd(state);
}

/* --- xz --- */

static void xz_begin(gpointer state)
{
    const lzma_mt options = {
        .flags = LZMA_TELL_UNSUPPORTED_CHECK,
        .threads = g_get_num_processors(),
        .memlimit_threading = XZ_MEMORY_LIMIT,
        .memlimit_stop = XZ_MEMORY_LIMIT,
    };
    *(lzma_stream *)state = (lzma_stream)LZMA_STREAM_INIT;
    lzma_ret result = lzma_stream_decoder_mt(state, &options);
    g_assert(result == LZMA_OK);
}

static BerthDecodeResult xz_step(gpointer state, BerthDecodeIo *io)
{
    static const BerthDecodeResult results[] = {
        [LZMA_OK] = BERTH_DECODE_MORE,
        [LZMA_STREAM_END] = BERTH_DECODE_COMPLETE,
        [LZMA_NO_CHECK] = BERTH_DECODE_MORE,
        [LZMA_UNSUPPORTED_CHECK] = BERTH_DECODE_UNSUPPORTED,
        [LZMA_GET_CHECK] = BERTH_DECODE_MORE,
        [LZMA_MEM_ERROR] = BERTH_DECODE_TOO_LARGE,
        [LZMA_MEMLIMIT_ERROR] = BERTH_DECODE_TOO_LARGE,
        [LZMA_FORMAT_ERROR] = BERTH_DECODE_DAMAGED,
        [LZMA_OPTIONS_ERROR] = BERTH_DECODE_UNSUPPORTED,
        [LZMA_DATA_ERROR] = BERTH_DECODE_DAMAGED, /* covers wrong checksums too */
        [LZMA_BUF_ERROR] = BERTH_DECODE_MORE,
        [LZMA_PROG_ERROR] = BERTH_DECODE_DAMAGED,
    };
    lzma_stream *stream = state;
    stream->next_in = io->in;
    stream->avail_in = io->in_size;
    stream->next_out = io->out;
    stream->avail_out = io->out_size;
    lzma_ret result = lzma_code(stream, io->in_ends ? LZMA_FINISH : LZMA_RUN);
    moved(io, io->in_size - stream->avail_in, io->out_size - stream->avail_out);
    return (guint)result < G_N_ELEMENTS(results) ? results[result] : BERTH_DECODE_DAMAGED;
}

static void xz_end(gpointer state)
{
    lzma_end(state);
}

/* --- zstd --- */

static void zstd_begin(gpointer state)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    g_assert(context != NULL);
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    *(ZSTD_DCtx **)state = context;
}

static BerthDecodeResult zstd_result(gsize result)
{
    static const struct {
        ZSTD_ErrorCode code;
        BerthDecodeResult result;
    } errors[] = {
        {ZSTD_error_checksum_wrong, BERTH_DECODE_CHECKSUM},
        {ZSTD_error_frameParameter_windowTooLarge, BERTH_DECODE_TOO_LARGE},
        {ZSTD_error_memory_allocation, BERTH_DECODE_TOO_LARGE},
        {ZSTD_error_dictionary_wrong, BERTH_DECODE_UNSUPPORTED},
        {ZSTD_error_version_unsupported, BERTH_DECODE_UNSUPPORTED},
        {ZSTD_error_frameParameter_unsupported, BERTH_DECODE_UNSUPPORTED},
    };
    if (!ZSTD_isError(result))
        return result == 0 ? BERTH_DECODE_COMPLETE : BERTH_DECODE_MORE;
    for (gsize i = 0; i < G_N_ELEMENTS(errors); i++) {
        if (ZSTD_getErrorCode(result) == errors[i].code)
            return errors[i].result;
    }
    return BERTH_DECODE_DAMAGED;
}

static BerthDecodeResult zstd_step(gpointer state, BerthDecodeIo *io)
{
    ZSTD_inBuffer in = {.src = io->in, .size = io->in_size};
    ZSTD_outBuffer out = {.dst = io->out, .size = io->out_size};
    gsize result = ZSTD_decompressStream(*(ZSTD_DCtx **)state, &out, &in);
    moved(io, in.pos, out.pos);
    return zstd_result(result);
}

static void zstd_restart(gpointer state)
{
    ZSTD_DCtx_reset(*(ZSTD_DCtx **)state, ZSTD_reset_session_only);
}

static void zstd_end(gpointer state)
{
    ZSTD_freeDCtx(*(ZSTD_DCtx **)state);
}

/* --- bzip2 --- */

static void bzip2_begin(gpointer state)
{
    *(bz_stream *)state = (bz_stream){0};
    int result = BZ2_bzDecompressInit(state, 0, 0);
    g_assert(result == BZ_OK);
}

static BerthDecodeResult bzip2_step(gpointer state, BerthDecodeIo *io)
{
    bz_stream *stream = state;
    guint in = clamp_size(io->in_size);
    guint out = clamp_size(io->out_size);
    stream->next_in = (char *)io->in;
    stream->avail_in = in;
    stream->next_out = (char *)io->out;
    stream->avail_out = out;
    int result = BZ2_bzDecompress(stream);
    moved(io, in - stream->avail_in, out - stream->avail_out);
    if (result == BZ_STREAM_END)
        return BERTH_DECODE_COMPLETE;
    return result == BZ_OK ? BERTH_DECODE_MORE : BERTH_DECODE_DAMAGED;
}

static void bzip2_end(gpointer state)
{
    BZ2_bzDecompressEnd(state);
}

/* --- lz4 --- */

static void lz4_begin(gpointer state)
{
    LZ4F_errorCode_t result = LZ4F_createDecompressionContext(state, LZ4F_VERSION);
    g_assert(!LZ4F_isError(result));
}

static BerthDecodeResult lz4_step(gpointer state, BerthDecodeIo *io)
{
    gsize in = io->in_size;
    gsize out = io->out_size;
    gsize result = LZ4F_decompress(*(LZ4F_dctx **)state, io->out, &out, io->in, &in, NULL);
    if (LZ4F_isError(result)) {
        bool checksum = strstr(LZ4F_getErrorName(result), "hecksum") != NULL;
        return checksum ? BERTH_DECODE_CHECKSUM : BERTH_DECODE_DAMAGED;
    }
    moved(io, in, out);
    return result == 0 ? BERTH_DECODE_COMPLETE : BERTH_DECODE_MORE;
}

static void lz4_restart(gpointer state)
{
    LZ4F_resetDecompressionContext(*(LZ4F_dctx **)state);
}

static void lz4_end(gpointer state)
{
    LZ4F_freeDecompressionContext(*(LZ4F_dctx **)state);
}

/* --- the table --- */

static const Codec codecs[] = {
    [BERTH_COMPRESSION_GZIP] = {"gzip", NULL, gzip_begin, gzip_step, gzip_restart, gzip_end},
    [BERTH_COMPRESSION_XZ] = {"xz", "compress it again with `xz -9` or less", xz_begin, xz_step,
                              NULL, xz_end},
    [BERTH_COMPRESSION_ZSTD] = {"zstd", "compress it again with `zstd --long` or less", zstd_begin,
                                zstd_step, zstd_restart, zstd_end},
    [BERTH_COMPRESSION_BZIP2] = {"bzip2", NULL, bzip2_begin, bzip2_step, NULL, bzip2_end},
    [BERTH_COMPRESSION_LZ4] = {"lz4", NULL, lz4_begin, lz4_step, lz4_restart, lz4_end},
};

BerthDecoder *berth_decoder_new(BerthCompression compression)
{
    g_assert(compression != BERTH_COMPRESSION_NONE && compression < G_N_ELEMENTS(codecs));
    BerthDecoder *decoder = g_new0(BerthDecoder, 1);
    decoder->codec = &codecs[compression];
    decoder->codec->begin(&decoder->state);
    return decoder;
}

void berth_decoder_free(BerthDecoder *decoder)
{
    if (decoder == NULL)
        return;
    decoder->codec->end(&decoder->state);
    g_free(decoder);
}

BerthDecodeResult berth_decoder_step(BerthDecoder *decoder, BerthDecodeIo *io)
{
    return decoder->codec->step(&decoder->state, io);
}

void berth_decoder_restart(BerthDecoder *decoder)
{
    if (decoder->codec->restart != NULL) {
        decoder->codec->restart(&decoder->state);
        return;
    }
    decoder->codec->end(&decoder->state);
    decoder->codec->begin(&decoder->state);
}

const char *berth_decoder_name(const BerthDecoder *decoder)
{
    return decoder->codec->name;
}

const char *berth_decoder_size_hint(const BerthDecoder *decoder)
{
    return decoder->codec->size_hint;
}

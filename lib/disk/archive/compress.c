/* SPDX-License-Identifier: MIT */
#include "compress.h"

#include "compress_gzip.h"

#include "base/error.h"
#include "disk/file/output.h"

#include <lzma.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zstd.h>

#define STAGE_SIZE  (1U << 20)
#define PACKED_SIZE (256U << 10)
#define THREADS_MAX 32U
#define XZ_PRESET   6U
#define ZSTD_LEVEL  3

/* A compression method: operations on a full staging buffer. */
typedef struct {
    BerthCompression method;
    bool (*open)(BerthCompress *compress, guint threads, GError **error);
    bool (*push)(BerthCompress *compress, bool last, GError **error);
    void (*close)(BerthCompress *compress);
} Method;

struct BerthCompress {
    BerthOutput output;
    const Method *method;
    guint8 *stage;
    gsize stage_size;

    guint8 *packed; /* output buffer of xz and zstd */
    BerthGzipWriter *gzip;
    lzma_stream xz;
    ZSTD_CCtx *zstd;
};

static bool fail(const char *what, GError **error)
{
    berth_error_set(error, BERTH_ERROR_FAILED, "export.write.compress", NULL,
                    "compress the export: %s", what);
    return false;
}

/* --- none --- */

static bool push_plain(BerthCompress *compress, bool last, GError **error)
{
    return berth_output_write(&compress->output, compress->stage, compress->stage_size, error);
}

/* --- gzip --- */

static bool open_gzip(BerthCompress *compress, guint threads, GError **error)
{
    compress->gzip = berth_gzip_writer_new(&compress->output, threads);
    return true;
}

static bool push_gzip(BerthCompress *compress, bool last, GError **error)
{
    return berth_gzip_writer_write(compress->gzip, compress->stage, compress->stage_size, last,
                                   error);
}

static void close_gzip(BerthCompress *compress)
{
    berth_gzip_writer_free(compress->gzip);
}

/* --- xz --- */

/* Memory for xz threads, over 100 MB each: a quarter of the RAM or of the process's limit. */
static guint64 memory_for_xz(void)
{
    guint64 memory = (guint64)sysconf(_SC_PHYS_PAGES) * (guint64)sysconf(_SC_PAGESIZE);
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        memory = MIN(memory, limit.rlim_cur);
    return memory / 4;
}

static bool open_xz(BerthCompress *compress, guint threads, GError **error)
{
    lzma_mt options = {.threads = threads, .preset = XZ_PRESET, .check = LZMA_CHECK_CRC64};
    guint64 memory = memory_for_xz();
    while (options.threads > 1 && lzma_stream_encoder_mt_memusage(&options) > memory)
        options.threads--;
    compress->xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_encoder_mt(&compress->xz, &options) == LZMA_OK ||
           fail("not enough memory for xz", error);
}

static bool push_xz(BerthCompress *compress, bool last, GError **error)
{
    lzma_stream *xz = &compress->xz;
    xz->next_in = compress->stage;
    xz->avail_in = compress->stage_size;
    lzma_ret result = LZMA_OK;
    while (result == LZMA_OK && (last || xz->avail_in > 0)) {
        xz->next_out = compress->packed;
        xz->avail_out = PACKED_SIZE;
        result = lzma_code(xz, last ? LZMA_FINISH : LZMA_RUN);
        if (!berth_output_write(&compress->output, compress->packed, PACKED_SIZE - xz->avail_out,
                                error))
            return false;
    }
    return result == LZMA_OK || result == LZMA_STREAM_END ||
           fail(result == LZMA_MEM_ERROR ? "not enough memory for xz" : "xz failed", error);
}

static void close_xz(BerthCompress *compress)
{
    lzma_end(&compress->xz);
}

/* --- zstd --- */

static bool open_zstd(BerthCompress *compress, guint threads, GError **error)
{
    compress->zstd = ZSTD_createCCtx();
    if (compress->zstd == NULL)
        return fail("not enough memory for zstd", error);
    ZSTD_CCtx_setParameter(compress->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(compress->zstd, ZSTD_c_checksumFlag, 1);
    /* A single-threaded build of libzstd rejects this; it then uses no workers. */
    ZSTD_CCtx_setParameter(compress->zstd, ZSTD_c_nbWorkers, (int)threads);
    return true;
}

static bool push_zstd(BerthCompress *compress, bool last, GError **error)
{
    ZSTD_inBuffer in = {.src = compress->stage, .size = compress->stage_size};
    ZSTD_EndDirective mode = last ? ZSTD_e_end : ZSTD_e_continue;
    size_t left = 1;
    while (last ? left != 0 : in.pos < in.size) {
        ZSTD_outBuffer out = {.dst = compress->packed, .size = PACKED_SIZE};
        left = ZSTD_compressStream2(compress->zstd, &out, &in, mode);
        if (ZSTD_isError(left))
            return fail(ZSTD_getErrorName(left), error);
        if (!berth_output_write(&compress->output, compress->packed, out.pos, error))
            return false;
    }
    return true;
}

static void close_zstd(BerthCompress *compress)
{
    ZSTD_freeCCtx(compress->zstd);
}

/* --- all methods --- */

static const Method methods[] = {
    {BERTH_COMPRESSION_NONE, NULL, push_plain, NULL},
    {BERTH_COMPRESSION_GZIP, open_gzip, push_gzip, close_gzip},
    {BERTH_COMPRESSION_XZ, open_xz, push_xz, close_xz},
    {BERTH_COMPRESSION_ZSTD, open_zstd, push_zstd, close_zstd},
};

static const Method *find_method(BerthCompression compression)
{
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++)
        if (methods[i].method == compression)
            return &methods[i];
    return NULL;
}

BerthCompress *berth_compress_new(int fd, BerthCompression method, guint threads, GError **error)
{
    g_autoptr(BerthCompress) compress = g_new0(BerthCompress, 1);
    compress->output.fd = fd;
    compress->method = find_method(method);
    g_assert(compress->method != NULL);
    compress->stage = g_malloc(STAGE_SIZE);
    compress->packed = g_malloc(PACKED_SIZE);
    if (threads == 0)
        threads = g_get_num_processors();
    if (compress->method->open != NULL &&
        !compress->method->open(compress, MIN(threads, THREADS_MAX), error))
        return NULL;
    return g_steal_pointer(&compress);
}

void berth_compress_free(BerthCompress *compress)
{
    if (compress == NULL)
        return;
    if (compress->method->close != NULL)
        compress->method->close(compress);
    g_free(compress->stage);
    g_free(compress->packed);
    g_free(compress);
}

bool berth_compress_reserve(BerthCompress *compress, guint8 **ret_buffer, gsize *ret_room,
                            GError **error)
{
    if (compress->stage_size == STAGE_SIZE) {
        if (!compress->method->push(compress, false, error))
            return false;
        compress->stage_size = 0;
    }
    *ret_buffer = compress->stage + compress->stage_size;
    *ret_room = STAGE_SIZE - compress->stage_size;
    return true;
}

void berth_compress_commit(BerthCompress *compress, gsize size)
{
    g_assert(size <= STAGE_SIZE - compress->stage_size);
    compress->stage_size += size;
}

bool berth_compress_write(BerthCompress *compress, const void *data, gsize size, GError **error)
{
    const guint8 *next = data;
    while (size > 0) {
        guint8 *buffer = NULL;
        gsize room = 0;
        if (!berth_compress_reserve(compress, &buffer, &room, error))
            return false;
        gsize part = MIN(room, size);
        memcpy(buffer, next, part);
        berth_compress_commit(compress, part);
        next += part;
        size -= part;
    }
    return true;
}

bool berth_compress_finish(BerthCompress *compress, GError **error)
{
    if (!compress->method->push(compress, true, error))
        return false;
    compress->stage_size = 0;
    return true;
}

guint64 berth_compress_written(const BerthCompress *compress)
{
    return compress->output.written;
}

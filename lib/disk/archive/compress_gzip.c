/* SPDX-License-Identifier: MIT */
#include "compress_gzip.h"

#include "base/error.h"

#include <string.h>
#include <zlib.h>

#define BLOCK_SIZE      (512U << 10)
#define DICTIONARY_SIZE (32U << 10)
#define LEVEL           6
#define MEMORY_LEVEL    8

/* A block in flight: the caller fills it, a thread compresses it, the caller writes it. */
typedef struct {
    guint8 *input; /* the dictionary, then the block */
    gsize dictionary;
    gsize size;
    bool last;

    guint8 *output;
    gsize output_size; /* 0: deflate failed */
    guint32 crc;
    bool done; /* under the lock */
} Job;

struct BerthGzipWriter {
    BerthOutput *output;
    GThreadPool *pool;
    GMutex lock;
    GCond changed;
    gsize output_limit;

    Job *jobs; /* a ring */
    guint count;
    guint oldest;
    guint busy;
    Job *current; /* being filled */

    bool started;
    guint32 crc;
    guint64 total;
};

/* --- compression threads --- */

static void deflate_job(Job *job, gsize limit)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, -MAX_WBITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return;
    if (job->dictionary > 0)
        deflateSetDictionary(&stream, job->input, (uInt)job->dictionary);
    stream.next_in = job->input + job->dictionary;
    stream.avail_in = (uInt)job->size;
    stream.next_out = job->output;
    stream.avail_out = (uInt)limit;
    int result = deflate(&stream, job->last ? Z_FINISH : Z_SYNC_FLUSH);
    if (result == (job->last ? Z_STREAM_END : Z_OK) && stream.avail_in == 0 &&
        (job->last || stream.avail_out > 0))
        job->output_size = stream.total_out;
    deflateEnd(&stream);
    job->crc = (guint32)crc32_z(0, job->input + job->dictionary, job->size);
}

static void work(gpointer data, gpointer user_data)
{
    BerthGzipWriter *writer = user_data;
    Job *job = data;
    deflate_job(job, writer->output_limit);
    g_mutex_lock(&writer->lock);
    job->done = true;
    g_cond_signal(&writer->changed);
    g_mutex_unlock(&writer->lock);
}

/* --- the calling thread --- */

BerthGzipWriter *berth_gzip_writer_new(BerthOutput *output, guint threads)
{
    BerthGzipWriter *writer = g_new0(BerthGzipWriter, 1);
    writer->output = output;
    g_mutex_init(&writer->lock);
    g_cond_init(&writer->changed);
    writer->output_limit = compressBound(BLOCK_SIZE) + 64; /* the sync flush adds a few bytes */
    writer->count = threads + 2;
    writer->jobs = g_new0(Job, writer->count);
    for (guint i = 0; i < writer->count; i++) {
        writer->jobs[i].input = g_malloc(DICTIONARY_SIZE + BLOCK_SIZE);
        writer->jobs[i].output = g_malloc(writer->output_limit);
    }
    writer->current = &writer->jobs[0];
    writer->pool = g_thread_pool_new(work, writer, (gint)threads, TRUE, NULL);
    return writer;
}

void berth_gzip_writer_free(BerthGzipWriter *writer)
{
    if (writer == NULL)
        return;
    g_thread_pool_free(writer->pool, TRUE, TRUE);
    for (guint i = 0; i < writer->count; i++) {
        g_free(writer->jobs[i].input);
        g_free(writer->jobs[i].output);
    }
    g_free(writer->jobs);
    g_cond_clear(&writer->changed);
    g_mutex_clear(&writer->lock);
    g_free(writer);
}

static bool write_header(BerthGzipWriter *writer, GError **error)
{
    /* No file name and no time, so that equal input gives equal output; OS 3: Unix. */
    static const guint8 header[10] = {0x1f, 0x8b, Z_DEFLATED, 0, 0, 0, 0, 0, 0, 3};
    if (writer->started)
        return true;
    writer->started = true;
    writer->crc = (guint32)crc32_z(0, NULL, 0);
    return berth_output_write(writer->output, header, sizeof(header), error);
}

/* Wait for the oldest block in flight and write it. */
static bool write_oldest(BerthGzipWriter *writer, GError **error)
{
    Job *job = &writer->jobs[writer->oldest];
    g_mutex_lock(&writer->lock);
    while (!job->done)
        g_cond_wait(&writer->changed, &writer->lock);
    g_mutex_unlock(&writer->lock);
    writer->oldest = (writer->oldest + 1) % writer->count;
    writer->busy--;

    if (job->output_size == 0) {
        berth_error_set(error, BERTH_ERROR_FAILED, "export.write.compress", NULL,
                        "compress the export: not enough memory");
        return false;
    }
    writer->crc = (guint32)crc32_combine(writer->crc, job->crc, (z_off_t)job->size);
    writer->total += job->size;
    return berth_output_write(writer->output, job->output, job->output_size, error);
}

/* Queue the filled block and get a free one, writing the oldest if the ring is full. */
static bool submit(BerthGzipWriter *writer, bool last, GError **error)
{
    Job *job = writer->current;
    job->last = last;
    job->done = false;
    job->output_size = 0;
    writer->busy++;
    g_thread_pool_push(writer->pool, job, NULL);
    if (writer->busy == writer->count - 1 && !write_oldest(writer, error))
        return false;

    /* Copy the dictionary now: the ring reuses this block's buffer only after the block is
     * written. */
    Job *next = &writer->jobs[(gsize)(job - writer->jobs + 1) % writer->count];
    next->dictionary = MIN(job->dictionary + job->size, DICTIONARY_SIZE);
    memcpy(next->input, job->input + job->dictionary + job->size - next->dictionary,
           next->dictionary);
    next->size = 0;
    writer->current = next;
    return true;
}

static bool write_trailer(BerthGzipWriter *writer, GError **error)
{
    while (writer->busy > 0)
        if (!write_oldest(writer, error))
            return false;
    const guint32 trailer[] = {GUINT32_TO_LE(writer->crc), GUINT32_TO_LE((guint32)writer->total)};
    return berth_output_write(writer->output, trailer, sizeof(trailer), error);
}

bool berth_gzip_writer_write(BerthGzipWriter *writer, const guint8 *data, gsize size, bool last,
                             GError **error)
{
    if (!write_header(writer, error))
        return false;
    while (size > 0) {
        Job *job = writer->current;
        gsize part = MIN(size, BLOCK_SIZE - job->size);
        memcpy(job->input + job->dictionary + job->size, data, part);
        job->size += part;
        data += part;
        size -= part;
        if (job->size == BLOCK_SIZE && !submit(writer, false, error))
            return false;
    }
    return !last || (submit(writer, true, error) && write_trailer(writer, error));
}

/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include "decode.h"

#include "base/error.h"
#include "base/fd.h"

#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SLOTS       8U
#define BATCH       (SLOTS / 2) /* slots handed over for one wake-up */
#define HEAD_SIZE   (64U << 10)
#define MAGIC_SIZE  6U
#define FETCH_AGAIN "fetch or copy the file again"

typedef struct {
    guint8 *data;
    gsize size;
} Slot;

struct BerthStream {
    BerthSource *source;
    BerthDecoder *decoder; /* NULL: uncompressed input */
    BerthCompression compression;
    char *name;
    BerthSourceTap tap;
    gpointer tap_data;
    GThread *thread; /* NULL until the first read */
    bool may_block;  /* pipe or socket input: hand over each slot at once */
    bool is_direct;  /* nothing to decode and never a wait: the reader reads by itself, one slot */
    int cancel_fd;   /* an eventfd: readable when the worker must end */

    /* Worker's. */
    bool between_parts;
    bool at_end;

    /* Under the lock. The worker owns a slot until it is counted in @filled; then the reader owns
     * it until the next read. */
    GMutex lock;
    GCond changed;
    Slot slots[SLOTS];
    guint first; /* the next slot to read */
    guint filled;
    bool reader_waits, worker_waits; /* only a waiting side is signalled */
    bool lent;                       /* the reader holds @first */
    bool peeked;                     /* reader's: the next read returns @first again */
    bool done;                       /* the worker has finished */
    bool cancelled;
    GError *failure;
    GPtrArray *warnings;
};

/* --- in the thread --- */

static bool fail_decode(const BerthStream *stream, BerthDecodeResult result, GError **error)
{
    static const struct {
        const char *id;
        const char *format;
    } failures[] = {
        [BERTH_DECODE_MORE] = {"import.read.truncated", "the %s data ends too early"},
        [BERTH_DECODE_DAMAGED] = {"import.read.damaged", "the %s data is damaged"},
        [BERTH_DECODE_CHECKSUM] = {"import.read.damaged",
                                   "the %s data is damaged: its checksum or length is wrong"},
        [BERTH_DECODE_TOO_LARGE] = {"import.read.too-large",
                                    "the %s data needs too much memory to unpack"},
        [BERTH_DECODE_UNSUPPORTED] = {"import.read.unsupported",
                                      "the %s data uses a feature that cannot be read here"},
    };
    const char *hint = result == BERTH_DECODE_UNSUPPORTED ? "decompress the file first"
                       : result == BERTH_DECODE_TOO_LARGE ? berth_decoder_size_hint(stream->decoder)
                                                          : FETCH_AGAIN;
    const char *name = berth_decoder_name(stream->decoder);
    const char *format = failures[result].format;
    const char *place = strstr(format, "%s");
    berth_error_set(error, BERTH_ERROR_INVALID, failures[result].id, hint, "%.*s%s%s",
                    (int)(place - format), format, name, place + 2);
    return false;
}

static void warn(BerthStream *stream, const char *text)
{
    g_mutex_lock(&stream->lock);
    g_ptr_array_add(stream->warnings, g_strdup_printf("%s: %s", stream->name, text));
    g_mutex_unlock(&stream->lock);
}

/* Drain the input, so that its writer does not block or get SIGPIPE. */
static bool discard_rest(BerthStream *stream, GError **error)
{
    const guint8 *data;
    for (gsize size = 1; size > 0;) {
        if (!berth_source_peek(stream->source, 1, &data, &size, error))
            return false;
        berth_source_consume(stream->source, size);
    }
    return true;
}

/* Whether another part of the same format begins here. lz4's skippable frames look like zstd's. */
static bool is_part(const BerthStream *stream, const guint8 *data, gsize size)
{
    BerthCompression next = berth_format_compression(data, size);
    return next == stream->compression ||
           (next == BERTH_COMPRESSION_ZSTD && stream->compression == BERTH_COMPRESSION_LZ4);
}

/* After a part: start the next, or detect the end. */
static bool start_part(BerthStream *stream, GError **error)
{
    const guint8 *data;
    gsize size = 0;
    for (bool zeros = true; zeros;) {
        if (!berth_source_peek(stream->source, MAGIC_SIZE, &data, &size, error))
            return false;
        gsize padding = 0;
        while (padding < size && data[padding] == 0)
            padding++;
        berth_source_consume(stream->source, padding);
        zeros = padding > 0;
    }

    stream->between_parts = false;
    if (is_part(stream, data, size)) {
        berth_decoder_restart(stream->decoder);
        return true;
    }
    stream->at_end = true;
    if (size == 0)
        return true;
    g_autofree char *text = g_strdup_printf("the data after the end of the %s stream was left out",
                                            berth_decoder_name(stream->decoder));
    warn(stream, text);
    return discard_rest(stream, error);
}

static bool decode_step(BerthStream *stream, BerthDecodeIo *io, GError **error)
{
    const guint8 *data;
    gsize size = 0;
    if (!berth_source_peek(stream->source, 1, &data, &size, error))
        return false;
    io->in = data;
    io->in_size = size;
    io->in_ends = size == 0;

    gsize room = io->out_size;
    BerthDecodeResult result = berth_decoder_step(stream->decoder, io);
    gsize used = size - io->in_size;
    berth_source_consume(stream->source, used);
    stream->between_parts = result == BERTH_DECODE_COMPLETE;
    if (result == BERTH_DECODE_COMPLETE)
        return true;
    if (result == BERTH_DECODE_MORE && (used > 0 || io->out_size < room))
        return true;
    /* No progress with all input given: at the end of the input it is truncated. */
    if (result == BERTH_DECODE_MORE && size > 0)
        result = BERTH_DECODE_DAMAGED;
    return fail_decode(stream, result, error);
}

/* Fill @slot completely, or up to the end of the stream. */
static bool fill_slot(BerthStream *stream, Slot *slot, GError **error)
{
    slot->size = 0;
    if (stream->decoder == NULL)
        return berth_source_read(stream->source, slot->data, BERTH_STREAM_BLOCK, &slot->size,
                                 error);

    BerthDecodeIo io = {.out = slot->data, .out_size = BERTH_STREAM_BLOCK};
    while (io.out_size > 0 && !stream->at_end) {
        if (!(stream->between_parts ? start_part(stream, error) : decode_step(stream, &io, error)))
            return false;
    }
    slot->size = BERTH_STREAM_BLOCK - io.out_size;
    return true;
}

/* Wait for the next free slot; NULL when cancelled. */
static Slot *wait_for_slot(BerthStream *stream)
{
    g_mutex_lock(&stream->lock);
    while (stream->filled == SLOTS && !stream->cancelled) {
        stream->worker_waits = true;
        g_cond_wait(&stream->changed, &stream->lock);
    }
    stream->worker_waits = false;
    Slot *slot =
        stream->cancelled ? NULL : &stream->slots[(stream->first + stream->filled) % SLOTS];
    g_mutex_unlock(&stream->lock);
    if (slot != NULL && slot->data == NULL)
        slot->data = g_malloc(BERTH_STREAM_BLOCK);
    return slot;
}

static void publish(BerthStream *stream, bool filled, GError *failure)
{
    g_mutex_lock(&stream->lock);
    stream->filled += filled ? 1 : 0;
    stream->done = !filled;
    stream->failure = failure;
    bool enough = stream->may_block || stream->filled >= BATCH || stream->done;
    if (stream->reader_waits && enough)
        g_cond_signal(&stream->changed);
    g_mutex_unlock(&stream->lock);
}

static gpointer run(gpointer data)
{
    BerthStream *stream = data;
    for (;;) {
        GError *error = NULL;
        Slot *slot = wait_for_slot(stream);
        if (slot == NULL)
            return NULL;
        bool filled = fill_slot(stream, slot, &error) && slot->size > 0;
        publish(stream, filled, error);
        if (!filled)
            return NULL;
    }
}

/* --- the reader's side --- */

BerthStream *berth_stream_open(BerthSource *source_take, const char *name, GError **error)
{
    g_autoptr(BerthSource) source = source_take;
    const guint8 *head = NULL;
    gsize size = 0;
    if (!berth_source_peek(source, HEAD_SIZE, &head, &size, error))
        return NULL;

    BerthStream *stream = g_new0(BerthStream, 1);
    stream->compression = berth_format_compression(head, size);
    stream->may_block = !berth_source_is_file(source);
    stream->source = g_steal_pointer(&source);
    stream->name = g_strdup(name);
    stream->warnings = g_ptr_array_new_with_free_func(g_free);
    stream->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g_mutex_init(&stream->lock);
    g_cond_init(&stream->changed);
    if (stream->compression != BERTH_COMPRESSION_NONE)
        stream->decoder = berth_decoder_new(stream->compression);
    stream->is_direct =
        stream->decoder == NULL && !stream->may_block && !berth_source_is_tapped(stream->source);
    berth_source_set_cancel(stream->source, stream->cancel_fd);
    return stream;
}

static void stop_thread(BerthStream *stream)
{
    g_mutex_lock(&stream->lock);
    stream->cancelled = true;
    g_cond_signal(&stream->changed);
    g_mutex_unlock(&stream->lock);

    const uint64_t one = 1;
    ssize_t written = write(stream->cancel_fd, &one, sizeof(one));
    g_assert(written == sizeof(one));
    g_thread_join(stream->thread);
}

void berth_stream_free(BerthStream *stream)
{
    if (stream == NULL)
        return;
    if (stream->thread != NULL)
        stop_thread(stream);
    for (guint i = 0; i < SLOTS; i++)
        g_free(stream->slots[i].data);
    berth_fd_close(&stream->cancel_fd);
    berth_decoder_free(stream->decoder);
    berth_source_free(stream->source);
    g_clear_error(&stream->failure);
    g_ptr_array_unref(stream->warnings);
    g_mutex_clear(&stream->lock);
    g_cond_clear(&stream->changed);
    g_free(stream->name);
    g_free(stream);
}

void berth_stream_set_tap(BerthStream *stream, BerthSourceTap tap, gpointer user_data)
{
    g_assert(stream->thread == NULL);
    stream->tap = tap;
    stream->tap_data = user_data;
}

/* Fill the only slot, which the processor's cache then still holds. */
static Slot *read_slot(BerthStream *stream)
{
    Slot *slot = &stream->slots[0];
    if (stream->done)
        return NULL;
    if (slot->data == NULL)
        slot->data = g_malloc(BERTH_STREAM_BLOCK);
    stream->done = !fill_slot(stream, slot, &stream->failure) || slot->size == 0;
    return stream->done ? NULL : slot;
}

/* Return the slot of the last read and wait for the next. */
static Slot *acquire_slot(BerthStream *stream)
{
    g_mutex_lock(&stream->lock);
    if (stream->lent) {
        stream->first = (stream->first + 1) % SLOTS;
        stream->filled--;
        if (stream->worker_waits && stream->filled <= SLOTS - BATCH)
            g_cond_signal(&stream->changed);
    }
    while (stream->filled == 0 && !stream->done) {
        stream->reader_waits = true;
        g_cond_wait(&stream->changed, &stream->lock);
    }
    stream->reader_waits = false;
    stream->lent = stream->filled > 0;
    Slot *slot = stream->lent ? &stream->slots[stream->first] : NULL;
    g_mutex_unlock(&stream->lock);
    return slot;
}

bool berth_stream_read(BerthStream *stream, const guint8 **ret_data, gsize *ret_size,
                       GError **error)
{
    if (stream->thread == NULL && !stream->is_direct)
        stream->thread = g_thread_new("berth-stream", run, stream);

    const Slot *slot = stream->peeked      ? &stream->slots[stream->first]
                       : stream->is_direct ? read_slot(stream)
                                           : acquire_slot(stream);
    if (slot != NULL && !stream->peeked && stream->tap != NULL)
        stream->tap(slot->data, slot->size, stream->tap_data);
    stream->peeked = false;
    if (slot == NULL && stream->failure != NULL) {
        g_propagate_error(error, g_error_copy(stream->failure));
        return false;
    }
    *ret_data = slot == NULL ? NULL : slot->data;
    *ret_size = slot == NULL ? 0 : slot->size;
    return true;
}

bool berth_stream_peek(BerthStream *stream, const guint8 **ret_data, gsize *ret_size,
                       GError **error)
{
    if (!berth_stream_read(stream, ret_data, ret_size, error))
        return false;
    stream->peeked = *ret_size > 0;
    return true;
}

guint64 berth_stream_position(const BerthStream *stream)
{
    return berth_source_position(stream->source);
}

const GPtrArray *berth_stream_warnings(const BerthStream *stream)
{
    return stream->warnings;
}

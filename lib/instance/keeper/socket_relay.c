/* SPDX-License-Identifier: MIT */
#include "socket_relay.h"

#include "base/fd.h"
#include "base/text.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>

#define PROBLEM_MAX 512u /* bytes */

struct BerthSocketRelay {
    int fd;
    BerthStreams *streams; /* borrowed */
    guint32 stream;
    BerthSocketRelayOver on_over;
    gpointer user_data;

    GSource *source;
    GIOCondition watched; /* condition of source; 0: no source */

    WireCredit to_guest;   /* ours to spend */
    WireCredit from_guest; /* the guest's to spend */
    WireBuffer waiting;    /* the guest's data, not yet written to the descriptor */
    bool input_ended;      /* EOF from the program */
    bool output_ended;     /* EOF from the guest */
    bool shut;             /* shutdown(SHUT_WR) was passed on to the program */
    bool gone;             /* the program has closed its end */
    bool exited;           /* EXIT from the guest: waiting is the last data */
    bool over;
};

static void put(BerthSocketRelay *relay, WireType type, WireChannel channel, const void *payload,
                gsize size)
{
    const WireFrame frame = {.type = (guint8)type,
                             .channel = (guint8)channel,
                             .payload = payload,
                             .size = (guint32)size};
    berth_streams_send(relay->streams, &frame, relay->stream);
}

static void give_credit(BerthSocketRelay *relay, gsize size)
{
    guint32 credit = GUINT32_TO_LE(wire_credit_return(&relay->from_guest, (guint32)size));
    if (credit > 0)
        put(relay, WIRE_CREDIT, WIRE_STDOUT, &credit, sizeof(credit));
}

static void unwatch(BerthSocketRelay *relay)
{
    if (relay->source == NULL)
        return;
    g_source_destroy(relay->source);
    g_clear_pointer(&relay->source, g_source_unref);
    relay->watched = 0;
}

static void end(BerthSocketRelay *relay, const char *problem)
{
    if (relay->over)
        return;
    relay->over = true;
    unwatch(relay);
    if (!relay->exited)
        put(relay, WIRE_CLOSE, WIRE_STDIN, NULL, 0);
    relay->on_over(relay, problem, relay->user_data);
}

/* --- from the program to the guest ------------------------------------------------------------ */

/* Read once. False when nothing more can be read now. */
static bool read_some(BerthSocketRelay *relay)
{
    char bytes[WIRE_DATA_MAX];
    gsize most = MIN(sizeof(bytes), relay->to_guest.available);
    if (relay->input_ended || most == 0)
        return false;

    ssize_t size = recv(relay->fd, bytes, most, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (size <= 0) {
        relay->input_ended = true;
        put(relay, WIRE_EOF, WIRE_STDIN, NULL, 0);
        return false;
    }
    wire_credit_spend(&relay->to_guest, (guint32)size);
    put(relay, WIRE_DATA, WIRE_STDIN, bytes, (gsize)size);
    return true;
}

/* --- from the guest to the program ------------------------------------------------------------ */

static void write_some(BerthSocketRelay *relay)
{
    gsize size = wire_buffer_size(&relay->waiting);
    if (size == 0)
        return;
    ssize_t written =
        send(relay->fd, wire_buffer_head(&relay->waiting), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (written < 0)
        relay->gone = true;
    else
        size = (gsize)written;
    wire_buffer_consume(&relay->waiting, size);
    give_credit(relay, size);
}

/* --- both ------------------------------------------------------------------------------------- */

static gboolean on_ready(gint fd, GIOCondition condition, gpointer user_data);

/* poll reports a hang-up unasked and always: after one the descriptor is no longer watched, since
 * what is left can be read without waiting. */
static void watch(BerthSocketRelay *relay)
{
    GIOCondition wanted = G_IO_HUP | G_IO_ERR;
    if (!relay->input_ended && relay->to_guest.available > 0)
        wanted |= G_IO_IN;
    if (wire_buffer_size(&relay->waiting) > 0)
        wanted |= G_IO_OUT;
    if (relay->gone || wanted != relay->watched)
        unwatch(relay);
    if (relay->gone || relay->source != NULL)
        return;

    relay->watched = wanted;
    relay->source = g_unix_fd_source_new(relay->fd, wanted);
    g_source_set_callback(relay->source, G_SOURCE_FUNC(on_ready), relay, NULL);
    g_source_attach(relay->source, g_main_context_get_thread_default());
}

/* Advance the state; call it last, since it may end the relay. */
static void advance(BerthSocketRelay *relay)
{
    while (relay->gone && read_some(relay))
        continue;
    bool empty = wire_buffer_size(&relay->waiting) == 0;
    if (empty && relay->output_ended && !relay->shut) {
        shutdown(relay->fd, SHUT_WR);
        relay->shut = true;
    }
    if ((relay->exited && empty) || (relay->gone && relay->input_ended))
        end(relay, NULL);
    else
        watch(relay);
}

static gboolean on_ready(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthSocketRelay *relay = user_data;
    if ((condition & G_IO_IN) != 0)
        read_some(relay);
    if ((condition & G_IO_OUT) != 0)
        write_some(relay);
    if ((condition & (G_IO_HUP | G_IO_ERR)) != 0)
        relay->gone = true;
    advance(relay);
    return G_SOURCE_CONTINUE; /* harmless once the source is destroyed */
}

/* --- frames of the guest ---------------------------------------------------------------------- */

static bool handle_data(BerthSocketRelay *relay, const WireFrame *frame, WireReader *reader)
{
    reader->next = reader->end;
    if (frame->channel != WIRE_STDOUT || relay->output_ended ||
        !wire_credit_spend(&relay->from_guest, frame->size))
        return false;
    if (relay->gone) {
        give_credit(relay, frame->size);
        return true;
    }
    wire_buffer_append(&relay->waiting, frame->payload, frame->size);
    write_some(relay);
    return true;
}

static bool handle_eof(BerthSocketRelay *relay, const WireFrame *frame, WireReader *reader)
{
    relay->output_ended = true;
    return frame->channel == WIRE_STDOUT;
}

static bool handle_credit(BerthSocketRelay *relay, const WireFrame *frame, WireReader *reader)
{
    guint32 bytes = wire_get_u32(reader);
    return frame->channel == WIRE_STDIN && wire_credit_grant(&relay->to_guest, bytes);
}

static bool handle_opened(BerthSocketRelay *relay, const WireFrame *frame, WireReader *reader)
{
    wire_get_u32(reader);
    wire_get_string(reader); /* pid and warning are for sessions */
    return true;
}

static bool handle_exit(BerthSocketRelay *relay, const WireFrame *frame, WireReader *reader)
{
    wire_get_u8(reader);
    wire_get_u8(reader);
    relay->exited = true;
    relay->output_ended = true;
    return true;
}

static const struct {
    WireType type;
    bool (*handle)(BerthSocketRelay *relay, const WireFrame *frame, WireReader *reader);
} handlers[] = {
    {WIRE_DATA, handle_data},     {WIRE_EOF, handle_eof},   {WIRE_CREDIT, handle_credit},
    {WIRE_OPENED, handle_opened}, {WIRE_EXIT, handle_exit},
};

static void handle_failed(BerthSocketRelay *relay, WireReader *reader)
{
    wire_get_u8(reader);
    g_autofree char *problem = berth_text_clean(wire_get_string(reader), PROBLEM_MAX);
    relay->exited = true;
    end(relay, wire_reader_done(reader) ? problem : "the guest sent an invalid FAILED frame");
}

static void on_guest_frame(const WireFrame *frame, gpointer owner)
{
    BerthSocketRelay *relay = owner;
    WireReader reader;
    wire_reader_init(&reader, frame);
    if (frame->type == WIRE_FAILED) {
        handle_failed(relay, &reader);
        return;
    }
    bool good = false;
    for (gsize i = 0; i < G_N_ELEMENTS(handlers); i++)
        if (handlers[i].type == frame->type)
            good = handlers[i].handle(relay, frame, &reader) && wire_reader_done(&reader);
    if (good)
        advance(relay);
    else
        end(relay, "the guest broke the protocol");
}

/* --- the public part -------------------------------------------------------------------------- */

BerthSocketRelay *berth_socket_relay_new(int fd, BerthStreams *streams, const char *path,
                                         BerthSocketRelayOver over, gpointer user_data)
{
    BerthSocketRelay *relay = g_new0(BerthSocketRelay, 1);
    relay->fd = fd;
    relay->streams = streams;
    relay->stream = berth_streams_open(streams, on_guest_frame, relay);
    relay->on_over = over;
    relay->user_data = user_data;
    relay->to_guest = relay->from_guest = (WireCredit)WIRE_CREDIT_INIT;

    WireBuffer payload = {0};
    wire_put_string(&payload, path);
    put(relay, WIRE_CONNECT, WIRE_STDIN, wire_buffer_head(&payload), wire_buffer_size(&payload));
    wire_buffer_clear(&payload);
    watch(relay);
    return relay;
}

void berth_socket_relay_free(BerthSocketRelay *relay)
{
    if (relay == NULL)
        return;
    unwatch(relay);
    berth_streams_close(relay->streams, relay->stream);
    berth_fd_close(&relay->fd);
    wire_buffer_clear(&relay->waiting);
    g_free(relay);
}

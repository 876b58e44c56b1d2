/* SPDX-License-Identifier: MIT */
#include "unix_relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Stop reading sockets while this many bytes are queued for the host. */
#define QUEUE_MAX (256u * 1024u)

struct Relay {
    Relays *host;
    uint32_t stream;
    Source source;
    WireBuffer queue; /* from the host, not yet written to the socket */
    WireCredit in;    /* granted to the host */
    WireCredit out;   /* granted by the host */
    bool in_ended;    /* the client half-closed: nothing follows the queue */
    bool shut;        /* the socket is half-closed accordingly */
    bool out_ended;   /* EOF was sent */
    bool closing;     /* the client closed: only flush the queue */
    bool over;        /* EXIT was sent; the stream number is free */
};

static void put(const Relay *relay, WireType type, const void *payload, size_t size)
{
    wire_frame_put(relay->host->out, type, WIRE_STDOUT, relay->stream, payload, size);
}

static void put_failed(WireBuffer *out, uint32_t stream, const char *path, int error)
{
    char message[256];
    snprintf(message, sizeof(message), "%.120s: %s", path, strerror(error));
    size_t begin = wire_frame_begin(out, WIRE_FAILED, 0, stream);
    wire_put_u8(out, 125);
    wire_put_string(out, message);
    wire_frame_end(out, begin);
}

static void put_credit(const Relay *relay, uint32_t credit)
{
    size_t begin = wire_frame_begin(relay->host->out, WIRE_CREDIT, WIRE_STDIN, relay->stream);
    wire_put_u32(relay->host->out, credit);
    wire_frame_end(relay->host->out, begin);
}

/* OPENED, with pid 0 and no warning. */
static void put_opened(Relay *relay)
{
    size_t begin = wire_frame_begin(relay->host->out, WIRE_OPENED, 0, relay->stream);
    wire_put_u32(relay->host->out, 0);
    wire_put_string(relay->host->out, "");
    wire_frame_end(relay->host->out, begin);
}

static void finish(Relay *relay, uint8_t status)
{
    uint8_t payload[2] = {WIRE_EXITED, status};
    if (relay->over)
        return;
    relay->over = true;
    put(relay, WIRE_EXIT, payload, sizeof(payload));
    loop_close(relay->host->loop, &relay->source);
    wire_buffer_clear(&relay->queue);
}

/* How many bytes may be read now. */
static size_t readable(Relay *relay)
{
    if (relay->out_ended || relay->closing || relay->out.available == 0)
        return 0;
    if (wire_buffer_size(relay->host->out) >= QUEUE_MAX) {
        relay->host->waiting = true;
        return 0;
    }
    return relay->out.available < WIRE_DATA_MAX ? relay->out.available : WIRE_DATA_MAX;
}

/* Move bytes and advance the state as far as possible. */
static void advance(Relay *relay)
{
    bool empty = wire_buffer_size(&relay->queue) == 0;
    if (relay->over)
        return;
    if (empty && relay->in_ended && !relay->shut) {
        shutdown(relay->source.fd, SHUT_WR);
        relay->shut = true;
    }
    if (empty && (relay->closing || (relay->shut && relay->out_ended))) {
        finish(relay, 0);
        return;
    }
    loop_watch(relay->host->loop, &relay->source,
               (readable(relay) > 0 ? (uint32_t)EPOLLIN : 0) | (empty ? 0 : (uint32_t)EPOLLOUT));
}

static void receive(Relay *relay)
{
    uint8_t bytes[WIRE_DATA_MAX];
    size_t most = readable(relay);
    if (most == 0)
        return;
    ssize_t size = recv(relay->source.fd, bytes, most, 0);
    if (size > 0) {
        wire_credit_spend(&relay->out, (uint32_t)size);
        put(relay, WIRE_DATA, bytes, (size_t)size);
    } else if (size == 0) {
        relay->out_ended = true;
        put(relay, WIRE_EOF, NULL, 0);
    } else if (errno != EAGAIN && errno != EINTR) {
        finish(relay, 1);
    }
}

static void flush(Relay *relay)
{
    uint32_t passed = 0;
    while (!relay->over && wire_buffer_size(&relay->queue) > 0) {
        ssize_t size = send(relay->source.fd, wire_buffer_head(&relay->queue),
                            wire_buffer_size(&relay->queue), MSG_NOSIGNAL);
        if (size > 0) {
            wire_buffer_consume(&relay->queue, (size_t)size);
            passed += (uint32_t)size;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            finish(relay, 1);
        }
    }
    uint32_t credit = wire_credit_return(&relay->in, passed);
    if (credit > 0 && !relay->over)
        put_credit(relay, credit);
}

static void on_socket(Source *source, uint32_t events)
{
    Relay *relay = container_of(source, Relay, source);
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
        flush(relay);
    if (!relay->over)
        receive(relay);
    advance(relay);
}

/* ---- frames ---- */

static bool on_data(Relay *relay, const WireFrame *frame, WireReader *reader)
{
    reader->next = reader->end;
    if (frame->channel != WIRE_STDIN || relay->in_ended ||
        !wire_credit_spend(&relay->in, frame->size))
        return false;
    wire_buffer_append(&relay->queue, frame->payload, frame->size);
    flush(relay);
    return !relay->queue.failed;
}

static bool on_eof(Relay *relay, const WireFrame *frame, WireReader *reader)
{
    bool first = !relay->in_ended;
    relay->in_ended = true;
    return first && frame->channel == WIRE_STDIN;
}

static bool on_credit(Relay *relay, const WireFrame *frame, WireReader *reader)
{
    uint32_t size = wire_get_u32(reader);
    return frame->channel == WIRE_STDOUT && wire_credit_grant(&relay->out, size);
}

static bool on_close(Relay *relay, const WireFrame *frame, WireReader *reader)
{
    relay->closing = true;
    return true;
}

static const struct {
    WireType type;
    bool (*function)(Relay *relay, const WireFrame *frame, WireReader *reader);
} frame_functions[] = {
    {WIRE_DATA, on_data},
    {WIRE_EOF, on_eof},
    {WIRE_CREDIT, on_credit},
    {WIRE_CLOSE, on_close},
};

static void handle_frame(Relay *relay, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    bool good = frame->type != WIRE_OPEN && frame->type != WIRE_CONNECT; /* the stream is in use */
    for (size_t i = 0; i < sizeof(frame_functions) / sizeof(frame_functions[0]); i++) {
        if (frame_functions[i].type == frame->type)
            good = frame_functions[i].function(relay, frame, &reader) && wire_reader_done(&reader);
    }
    if (!good)
        finish(relay, 1);
    advance(relay);
}

/* ---- connecting ---- */

/* A connected descriptor, or -errno; does not block. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path[0] != '/')
        return -EINVAL;
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    return -error;
}

static Relay *add_relay(Relays *relays, uint32_t stream)
{
    Relay **grown = realloc(relays->list, (relays->count + 1) * sizeof(Relay *));
    if (grown == NULL)
        return NULL;
    relays->list = grown;
    Relay *relay = calloc(1, sizeof(*relay));
    if (relay == NULL)
        return NULL;
    *relay =
        (Relay){.host = relays, .stream = stream, .in = WIRE_CREDIT_INIT, .out = WIRE_CREDIT_INIT};
    relays->list[relays->count++] = relay;
    return relay;
}

static void open_relay(Relays *relays, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    const char *path = wire_get_string(&reader);
    int fd = wire_reader_done(&reader) ? connect_to(path) : -EPROTO;
    if (fd < 0) {
        put_failed(relays->out, frame->stream, path, -fd);
        return;
    }
    Relay *relay = add_relay(relays, frame->stream);
    if (relay == NULL) {
        close(fd);
        put_failed(relays->out, frame->stream, path, ENOMEM);
        return;
    }
    loop_add(relays->loop, &relay->source, fd, 0, on_socket);
    put_opened(relay);
    advance(relay);
}

/* ---- all relays ---- */

bool relays_frame(Relays *relays, const WireFrame *frame)
{
    for (size_t i = 0; i < relays->count; i++) {
        if (relays->list[i]->over || relays->list[i]->stream != frame->stream)
            continue;
        handle_frame(relays->list[i], frame);
        return true;
    }
    if (frame->type == WIRE_CONNECT)
        open_relay(relays, frame);
    return frame->type == WIRE_CONNECT;
}

void relays_resume(Relays *relays)
{
    relays->waiting = false;
    for (size_t i = 0; i < relays->count; i++)
        advance(relays->list[i]);
}

void relays_abandon(Relays *relays)
{
    for (size_t i = 0; i < relays->count; i++) {
        relays->list[i]->over = true;
        loop_close(relays->loop, &relays->list[i]->source);
        wire_buffer_clear(&relays->list[i]->queue);
    }
}

void relays_sweep(Relays *relays)
{
    size_t kept = 0;
    for (size_t i = 0; i < relays->count; i++) {
        if (relays->list[i]->over)
            free(relays->list[i]);
        else
            relays->list[kept++] = relays->list[i];
    }
    relays->count = kept;
}

void relays_clear(Relays *relays)
{
    relays_abandon(relays);
    relays_sweep(relays);
    free(relays->list);
    *relays = (Relays){0};
}

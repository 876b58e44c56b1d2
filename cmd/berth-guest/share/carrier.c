/* SPDX-License-Identifier: MIT */
#include "carrier.h"

#include "carrier_link.h"
#include "own_answers.h"
#include "replayer.h"
#include "under_way.h"

#include "os/log.h"
#include "wire/flush.h"
#include "wire/probe.h"
#include "wire/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_MAX (1024u * 1024u + 4096u) /* FUSE_MAX_MAX_PAGES, and a header */
#define INIT_MAX    256u
#define RETRY_MSEC  100

/* A notification that waits for its thread. */
typedef struct Notification Notification;
struct Notification {
    Notification *next;
    uint64_t server; /* that has sent it */
    uint32_t size;
    uint8_t bytes[];
};

/* Whether requests are sent. A probe is a request whose answer shows that the host has read all
 * before it, or that it is still there: a server that ended with a suspended machine took what it
 * was sent without a trace. */
typedef enum {
    FLOWING,
    HOLDING, /* until the probe and all changes are answered */
    HELD,
    RELEASING, /* until the probe is answered, or its server has ended */
} Hold;

typedef struct {
    const Carrier *carrier;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool connected; /* the host's server is there */
    bool sending;   /* a thread is within a message */
    UnderWay under_way;
    Hold hold;
    uint32_t hold_number;   /* of the agent's CARRIER_HOLD */
    bool probing;           /* the probe is under way */
    uint8_t init[INIT_MAX]; /* the kernel's INIT */
    uint32_t init_size;     /* 0: it was not sent yet */
    bool init_answered;     /* the kernel has its answer; that of another server is dropped */
    Notification *first;
    Notification **last;
    uint64_t servers; /* that have connected */
    Replayer replayer;
    OwnAnswers own;
    int problem; /* of a server's message */
} State;

/* ---- requests under way ---- */

static bool has_answer(const struct fuse_in_header *header)
{
    return header->opcode != FUSE_FORGET && header->opcode != FUSE_BATCH_FORGET &&
           header->opcode != FUSE_INTERRUPT;
}

static void fail_request(const State *state, uint64_t unique)
{
    const struct fuse_out_header answer = {.len = sizeof(answer), .error = -EIO, .unique = unique};
    ssize_t written = write(state->carrier->fuse, &answer, sizeof(answer));
    (void)written; /* ENOENT: it was interrupted meanwhile */
}

/* ---- the port ---- */

static void wait_for(int fd, short events)
{
    struct pollfd wait = {.fd = fd, .events = events};
    poll(&wait, 1, -1);
}

static bool is_hung_up(int port)
{
    struct pollfd now = {.fd = port, .events = POLLOUT};
    return poll(&now, 1, 0) > 0 && (now.revents & (POLLHUP | POLLERR)) != 0;
}

/* Wait until the host has connected. Edge-triggered: until then a port reports a hang-up at each
 * look. While the kernel refuses to watch the port, look at intervals. */
static void wait_for_host(int port)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    bool watched = false;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
    while (epoll >= 0 && is_hung_up(port)) {
        if (!watched)
            watched = epoll_ctl(epoll, EPOLL_CTL_ADD, port, &event) == 0;
        epoll_wait(epoll, &(struct epoll_event){0}, 1, watched ? -1 : RETRY_MSEC);
    }
    if (epoll >= 0)
        close(epoll);
}

/* Read exactly @size bytes. False: the host has gone. */
static bool read_port(int port, uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(port, bytes + done, size - done);
        if (got > 0)
            done += (size_t)got;
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            return false;
        else if (errno == EAGAIN)
            wait_for(port, POLLIN);
    }
    return true;
}

/* False: the host has gone. */
static bool write_port(int port, const uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = write(port, bytes + done, size - done);
        if (put > 0) {
            done += (size_t)put;
            continue;
        }
        struct pollfd wait = {.fd = port, .events = POLLOUT};
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (poll(&wait, 1, -1) > 0 && (wait.revents & (POLLHUP | POLLERR)) != 0)
            return false;
    }
    return true;
}

/* ---- from the kernel to the host ---- */

/* Send a message to the host; the lock is held and the host is there. False: the host has gone and
 * did not get all of it. The reading thread acts on that. */
static bool send_now(State *state, const uint8_t *bytes, size_t size)
{
    state->sending = true;
    pthread_mutex_unlock(&state->lock);
    bool sent = write_port(state->carrier->port, bytes, size);
    pthread_mutex_lock(&state->lock);
    state->sending = false;
    pthread_cond_broadcast(&state->changed);
    return sent;
}

/* The same for a request. False: it is not under way, and the host is not there any more. */
static bool try_request(State *state, uint64_t unique, const uint8_t *bytes, size_t size)
{
    if (send_now(state, bytes, size))
        return true;
    under_way_remove(&state->under_way, unique);
    state->connected = false;
    return false;
}

/* A new request waits for those that another server was to answer. */
static bool may_send(const State *state)
{
    return state->connected && !state->sending && state->hold == FLOWING;
}

/* Send a request once the host is there. A server that went before it had the whole request did
 * nothing of it: the next server gets it. connect_server sends INIT again. */
static void send_request(State *state, const uint8_t *bytes, size_t size)
{
    struct fuse_in_header header;
    memcpy(&header, bytes, sizeof(header));
    const bool is_init = header.opcode == FUSE_INIT && size <= INIT_MAX;
    bool counted, sent;
    pthread_mutex_lock(&state->lock);
    do {
        while (!may_send(state) || state->under_way.again > 0)
            pthread_cond_wait(&state->changed, &state->lock);
        if (is_init) {
            memcpy(state->init, bytes, size);
            state->init_size = (uint32_t)size;
        }
        if (header.opcode == FUSE_INTERRUPT)
            under_way_interrupt(&state->under_way, bytes, size);
        counted = !has_answer(&header) || under_way_add(&state->under_way, bytes, size);
        sent = !counted || try_request(state, header.unique, bytes, size);
    } while (!sent && !is_init);
    pthread_mutex_unlock(&state->lock);
    if (!counted)
        fail_request(state, header.unique);
}

/* Send what a former server had not answered, as soon as another is there. If that ends meanwhile,
 * disconnect marks it once more. */
static void *repeat_requests(void *data)
{
    State *state = data;
    uint8_t *bytes = malloc(UNDER_WAY_KEPT_MAX);
    pthread_mutex_lock(&state->lock);
    while (bytes != NULL) {
        while (!may_send(state) || state->under_way.again == 0)
            pthread_cond_wait(&state->changed, &state->lock);
        if (!send_now(state, bytes, under_way_next(&state->under_way, bytes)))
            state->connected = false;
    }
    _exit(EXIT_FAILURE); /* no memory; the mount ends with its process */
}

/* Acknowledge a replay to the server that asked for it, if it is still there. */
static void acknowledge(State *state, const ReplayDone *done)
{
    const struct fuse_in_header header = {.len = sizeof(header),
                                          .opcode = WIRE_REPLAY_ACK,
                                          .unique = done->sequence,
                                          .nodeid = (uint64_t)-done->result};
    pthread_mutex_lock(&state->lock);
    while (state->sending || state->hold != FLOWING)
        pthread_cond_wait(&state->changed, &state->lock);
    if (state->connected && done->server == state->servers)
        send_now(state, (const uint8_t *)&header, sizeof(header));
    pthread_mutex_unlock(&state->lock);
}

/* ---- holding requests ---- */

/* The lock is held, in all of these. */
static void report_if_held(State *state)
{
    const CarrierMessage message = {CARRIER_HELD, state->hold_number};
    if (state->hold != HOLDING || state->probing || under_way_has_change(&state->under_way))
        return;
    state->hold = HELD;
    send(state->carrier->agent, &message, sizeof(message), MSG_NOSIGNAL);
}

/* Ask the server for an answer: it has all that was sent before then. A probe that is under way is
 * enough, since the carrier has sent nothing after it. */
static void send_probe(State *state)
{
    const struct fuse_in_header probe = {.len = sizeof(probe),
                                         .opcode = FUSE_STATFS,
                                         .unique = WIRE_PROBE_UNIQUE,
                                         .nodeid = FUSE_ROOT_ID};
    if (state->probing)
        return;
    state->probing = true;
    while (state->sending)
        pthread_cond_wait(&state->changed, &state->lock);
    state->probing = state->connected;
    if (state->connected && !send_now(state, (const uint8_t *)&probe, sizeof(probe)))
        state->connected = state->probing = false;
}

static void end_probe(State *state)
{
    state->probing = false;
    if (state->hold == RELEASING)
        state->hold = FLOWING;
    pthread_cond_broadcast(&state->changed);
}

static void handle_agent(State *state, const CarrierMessage *message)
{
    if (message->word == CARRIER_HOLD) {
        state->hold = HOLDING;
        state->hold_number = message->number;
        send_probe(state);
        report_if_held(state);
    } else if (message->word == CARRIER_RELEASE && state->hold != FLOWING) {
        state->hold = RELEASING;
        send_probe(state);
        if (!state->probing)
            end_probe(state);
    }
}

static void *follow_agent(void *data)
{
    State *state = data;
    CarrierMessage message;
    while (recv(state->carrier->agent, &message, sizeof(message), 0) == sizeof(message)) {
        pthread_mutex_lock(&state->lock);
        handle_agent(state, &message);
        pthread_mutex_unlock(&state->lock);
    }
    return NULL; /* there is no agent */
}

/* ---- what the guest knows itself ---- */

/* The host must not take a replay's requests for a change to make. No other has this pid. */
static void mark_replay(const State *state, uint8_t *bytes)
{
    struct fuse_in_header header;
    memcpy(&header, bytes, sizeof(header));
    if (header.pid == (uint32_t)state->replayer.pid)
        header.pid = WIRE_REPLAY_PID;
    else if (header.pid == WIRE_REPLAY_PID)
        header.pid = 0;
    memcpy(bytes, &header, sizeof(header));
}

static bool answer_here(const State *state, const uint8_t *bytes, size_t size)
{
    struct fuse_out_header answer;
    if (!own_answers_find(&state->own, bytes, size, &answer))
        return false;
    ssize_t written = write(state->carrier->fuse, &answer, sizeof(answer));
    (void)written; /* ENOENT: it was interrupted meanwhile */
    return true;
}

static void *carry_requests(void *data)
{
    State *state = data;
    uint8_t *bytes = malloc(MESSAGE_MAX);
    while (bytes != NULL) {
        ssize_t size = read(state->carrier->fuse, bytes, MESSAGE_MAX);
        if (size < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) {
            if (errno == EAGAIN)
                wait_for(state->carrier->fuse, POLLIN);
            continue; /* ENOENT: the request was interrupted */
        }
        if (size < (ssize_t)sizeof(struct fuse_in_header))
            break; /* ENODEV: unmounted */
        mark_replay(state, bytes);
        if (!answer_here(state, bytes, (size_t)size))
            send_request(state, bytes, (size_t)size);
    }
    free(bytes);
    _exit(EXIT_SUCCESS);
}

/* ---- from the host to the kernel ---- */

static bool is_replay(const Notification *notification)
{
    struct fuse_out_header header;
    memcpy(&header, notification->bytes, sizeof(header));
    return header.error == WIRE_REPLAY_CODE;
}

/* Once all notifications before it are written. A replay for a server that has gone is dropped. */
static void start_replay(State *state, const Notification *notification)
{
    const uint32_t header = sizeof(struct fuse_out_header);
    pthread_mutex_lock(&state->lock);
    bool wanted = notification->server == state->servers;
    pthread_mutex_unlock(&state->lock);
    if (wanted) /* if it has ended, the main thread acts */
        replayer_send(&state->replayer, notification->server, notification->bytes + header,
                      notification->size - header);
}

static void *carry_notifications(void *data)
{
    State *state = data;
    for (;;) {
        pthread_mutex_lock(&state->lock);
        while (state->first == NULL)
            pthread_cond_wait(&state->changed, &state->lock);
        Notification *notification = state->first;
        state->first = notification->next;
        if (state->first == NULL)
            state->last = &state->first;
        pthread_mutex_unlock(&state->lock);
        ssize_t written = 0;
        if (is_replay(notification))
            start_replay(state, notification);
        else
            written = write(state->carrier->fuse, notification->bytes, notification->size);
        (void)written; /* ENOENT: the kernel no longer has it */
        free(notification);
    }
    return NULL;
}

static bool queue_notification(State *state, const uint8_t *bytes, uint32_t size)
{
    Notification *notification = malloc(sizeof(*notification) + size);
    if (notification == NULL)
        return false;
    notification->next = NULL;
    notification->size = size;
    memcpy(notification->bytes, bytes, size);
    pthread_mutex_lock(&state->lock);
    notification->server = state->servers;
    *state->last = notification;
    state->last = &notification->next;
    pthread_cond_broadcast(&state->changed);
    pthread_mutex_unlock(&state->lock);
    return true;
}

/* 0: INIT was not sent yet. */
static uint64_t init_unique(const State *state)
{
    struct fuse_in_header init;
    memcpy(&init, state->init, sizeof(init));
    return state->init_size > 0 ? init.unique : 0;
}

/* A message that answers no request. */
static void deliver_notification(State *state, const uint8_t *bytes, uint32_t size)
{
    struct fuse_out_header header;
    uint64_t node;
    memcpy(&header, bytes, sizeof(header));
    if (header.error == WIRE_FLUSH_CODE && size == sizeof(header) + sizeof(node)) {
        memcpy(&node, bytes + sizeof(header), sizeof(node));
        own_answers_want_flush(&state->own, node);
    } else if (!queue_notification(state, bytes, size)) {
        log_line("share: no memory for a notification");
    }
}

static void deliver(State *state, const uint8_t *bytes, uint32_t size)
{
    struct fuse_out_header header;
    memcpy(&header, bytes, sizeof(header));
    if (header.unique == 0) {
        deliver_notification(state, bytes, size);
        return;
    }
    pthread_mutex_lock(&state->lock);
    bool waited = under_way_remove(&state->under_way, header.unique), mounts = false;
    if (header.unique == init_unique(state)) {
        waited = waited && !state->init_answered;
        state->init_answered = true;
        mounts = waited && state->carrier->mounted != NULL;
    }
    if (header.unique == WIRE_PROBE_UNIQUE)
        end_probe(state);
    report_if_held(state);
    pthread_mutex_unlock(&state->lock);
    ssize_t written = waited ? write(state->carrier->fuse, bytes, size) : 0;
    (void)written; /* ENOENT: it was interrupted meanwhile */
    if (mounts)
        state->carrier->mounted(state->carrier->data);
}

/* The host's end has closed, possibly within a message. */
static void disconnect(State *state)
{
    uint64_t unique;
    pthread_mutex_lock(&state->lock);
    state->connected = false;
    while (state->sending)
        pthread_cond_wait(&state->changed, &state->lock);
    under_way_mark(&state->under_way, state->hold != FLOWING);
    while (under_way_drop(&state->under_way, &unique))
        if (unique != init_unique(state))
            fail_request(state, unique);
    end_probe(state);
    report_if_held(state);
    pthread_mutex_unlock(&state->lock);

    uint8_t rest[4096];
    while (read(state->carrier->port, rest, sizeof(rest)) > 0)
        continue;
    state->carrier->lost(state->carrier->data);
}

/* The next server must know that the kernel has nodes of the former one's. */
static void mark_again(State *state)
{
    struct fuse_in_header header;
    memcpy(&header, state->init, sizeof(header));
    header.pid = WIRE_REPLAY_INIT_PID;
    memcpy(state->init, &header, sizeof(header));
}

/* Wait for a server; send INIT again if an earlier one had it. */
static void connect_server(State *state)
{
    wait_for_host(state->carrier->port);
    if (state->carrier->found != NULL)
        state->carrier->found(state->carrier->data);
    pthread_mutex_lock(&state->lock);
    bool again =
        state->init_size > 0 && under_way_add(&state->under_way, state->init, state->init_size);
    pthread_mutex_unlock(&state->lock);
    if (again)
        mark_again(state);
    if (again)
        write_port(state->carrier->port, state->init, state->init_size);
    pthread_mutex_lock(&state->lock);
    state->connected = true;
    state->servers++;
    pthread_cond_broadcast(&state->changed);
    pthread_mutex_unlock(&state->lock);
}

/* Carry the messages of one server. False: one is malformed. */
static bool carry_answers(State *state, uint8_t *bytes)
{
    uint32_t size;
    while (read_port(state->carrier->port, bytes, sizeof(struct fuse_out_header))) {
        memcpy(&size, bytes, sizeof(size));
        if (size < sizeof(struct fuse_out_header) || size > MESSAGE_MAX)
            return false;
        if (!read_port(state->carrier->port, bytes + sizeof(struct fuse_out_header),
                       size - sizeof(struct fuse_out_header)))
            return true;
        deliver(state, bytes, size);
    }
    return true;
}

static void *carry_servers(void *data)
{
    State *state = data;
    uint8_t *bytes = malloc(MESSAGE_MAX);
    while (bytes != NULL) {
        connect_server(state);
        if (!carry_answers(state, bytes))
            break;
        disconnect(state);
    }
    state->problem = bytes != NULL ? -EPROTO : -ENOMEM;
    free(bytes);
    shutdown(state->replayer.socket, SHUT_RDWR); /* ends the main thread's wait */
    return NULL;
}

/* The thread of notifications may wait in the kernel for an answer, which no kill ends and which
 * would keep /dev/fuse open. To force the unmount fails all requests. */
static int carrier_end(const State *state)
{
    if (state->problem == 0)
        log_line("share: the process that repeats changes has ended");
    umount2(state->carrier->root, MNT_FORCE | MNT_DETACH);
    return state->problem != 0 ? state->problem : -EPIPE;
}

int carrier_run(const Carrier *carrier)
{
    static State state = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    void *(*const threads[])(void *) = {carry_requests, repeat_requests, carry_notifications,
                                        carry_servers, follow_agent};
    pthread_t thread;
    ReplayDone done;
    state.carrier = carrier;
    state.last = &state.first;
    int result = replayer_start(&state.replayer, carrier->root);
    for (size_t i = 0; result == 0 && i < sizeof(threads) / sizeof(threads[0]); i++)
        result = -pthread_create(&thread, NULL, threads[i], &state);
    state.problem = result;
    while (result == 0 && replayer_wait(&state.replayer, &done))
        acknowledge(&state, &done);
    return carrier_end(&state);
}

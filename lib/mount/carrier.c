/* SPDX-License-Identifier: MIT */
#include "carrier.h"

#include "init.h"
#include "read_ahead.h"
#include "requests.h"

#include "base/fd.h"
#include "wire/mount.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* How long an interrupted request may still wait for its answer: most signals are no Ctrl-C. */
#define INTERRUPT_USEC G_USEC_PER_SEC
#define ERRNO_MAX      511 /* the kernel accepts no larger one */

typedef struct {
    gsize size;
    guint64 unique; /* of the request that has an answer; 0: none has */
    guint32 opcode;
    guint8 bytes[];
} Message;

typedef struct {
    int fuse;
    const BerthMountGuest *guest;
    GMutex lock;
    GCond changed;
    GQueue queue; /* of Message, to the guest */
    BerthMountRequests *requests;
    BerthMountAhead *ahead;
    bool connected;
    int to_guest, from_guest;
    GThread *answers; /* of the connection now, or the last one */
} Carrier;

/* ---- answers to the kernel ---- */

/* 0, or the errno of the write: ENOENT: the kernel no longer waits. */
static int answer(const Carrier *carrier, guint64 unique, int error, const void *body, gsize size)
{
    const struct fuse_out_header header = {
        .len = (guint32)(sizeof(header) + size), .error = -error, .unique = unique};
    const struct iovec parts[] = {{(void *)&header, sizeof(header)}, {(void *)body, size}};
    return writev(carrier->fuse, parts, size > 0 ? 2 : 1) < 0 ? errno : 0;
}

static void answer_error(const Carrier *carrier, guint64 unique, int error)
{
    answer(carrier, unique, error, NULL, 0);
}

/* Answer a request about the mount itself while no guest is connected. False: it is about a file. */
static bool answer_alone(const Carrier *carrier, const struct fuse_in_header *header)
{
    guint8 body[BERTH_MOUNT_LOCAL_MAX];
    gsize size = 0;
    if (header->nodeid == FUSE_ROOT_ID && header->opcode == FUSE_GETATTR)
        size = berth_mount_answer_root(body);
    else if (header->opcode == FUSE_STATFS)
        size = berth_mount_answer_space(body);
    if (size == 0)
        return false;
    answer(carrier, header->unique, 0, body, size);
    return true;
}

/* ---- messages to the guest ---- */

static void enqueue(Carrier *carrier, const void *bytes, gsize size)
{
    struct fuse_in_header header;
    memcpy(&header, bytes, sizeof(header));
    bool answered = berth_mount_requests_find(carrier->requests, header.unique) != NULL;
    Message *message = g_malloc(sizeof(*message) + size);
    message->size = size;
    message->opcode = header.opcode;
    message->unique = answered ? header.unique : 0;
    memcpy(message->bytes, bytes, size);
    g_queue_push_tail(&carrier->queue, message);
    g_cond_broadcast(&carrier->changed);
}

/* Tell the guest that the kernel has not taken the answer @body to @header. The lock is held. */
static void undo(Carrier *carrier, const struct fuse_in_header *header, const guint8 *body,
                 gsize size)
{
    g_autoptr(GByteArray) requests = g_byte_array_new();
    berth_mount_requests_undo(header, body, size, requests);
    for (gsize at = 0; at < requests->len;) {
        struct fuse_in_header next;
        memcpy(&next, requests->data + at, sizeof(next));
        enqueue(carrier, requests->data + at, next.len);
        at += next.len;
    }
}

/* ---- answers of the guest ---- */

static bool read_all(int fd, void *bytes, gsize size)
{
    for (gsize done = 0; done < size;) {
        ssize_t got = read(fd, (guint8 *)bytes + done, size - done);
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        done += (gsize)MAX(got, 0);
    }
    return true;
}

/* Find the request that an answer is for and forget it. False: the guest was not asked. */
static bool take_request(Carrier *carrier, guint64 unique, BerthMountRequest *ret_request)
{
    g_mutex_lock(&carrier->lock);
    const BerthMountRequest *request = berth_mount_requests_find(carrier->requests, unique);
    bool asked = request != NULL && request->sent;
    if (asked) {
        *ret_request = *request;
        if (request->changes)
            berth_mount_ahead_drop(carrier->ahead);
        berth_mount_requests_remove(carrier->requests, unique);
    }
    g_mutex_unlock(&carrier->lock);
    return asked;
}

/* Answer the kernel's read that waited for @header's, or ask the guest for it. The lock is held. */
static void answer_waiting(Carrier *carrier, const struct fuse_out_header *header,
                           const guint8 *body)
{
    BerthMountRead read;
    bool whole;
    gsize size = header->error == 0 ? header->len - sizeof(*header) : 0;
    if (!berth_mount_ahead_answered(carrier->ahead, header->unique, body, size, &read, &whole))
        return;
    BerthMountRequest *request = berth_mount_requests_find(carrier->requests, read.header.unique);
    bool wanted = request != NULL && !request->abandoned;
    if (wanted && !whole) {
        request->sent = false;
        enqueue(carrier, &read, sizeof(read));
        return;
    }
    if (wanted)
        answer(carrier, read.header.unique, 0, body, size);
    berth_mount_requests_remove(carrier->requests, read.header.unique);
}

/* The kernel asks for the attributes of a file anew after it was opened, or it would read no
 * further than the size it knows. Not where the guest says that nothing has changed. */
static void forget_attributes(const Carrier *carrier, const struct fuse_in_header *header,
                              const guint8 *body, gsize size)
{
    struct fuse_open_out opened = {0};
    struct {
        struct fuse_out_header header;
        struct fuse_notify_inval_inode_out inode;
    } notification = {
        .header = {.len = sizeof(notification), .error = FUSE_NOTIFY_INVAL_INODE},
        .inode = {.ino = header->nodeid, .off = -1},
    };
    memcpy(&opened, body, MIN(size, sizeof(opened)));
    if (header->opcode != FUSE_OPEN || (opened.open_flags & FOPEN_KEEP_CACHE) != 0)
        return;
    ssize_t written = write(carrier->fuse, &notification, sizeof(notification));
    (void)written; /* ENOENT: the kernel does not know the file */
}

/* Pass an answer on. A malformed one becomes EIO, and so does one that the kernel rejects. */
static void deliver(Carrier *carrier, const struct fuse_out_header *header, const guint8 *body)
{
    gsize size = header->len - sizeof(*header);
    bool valid =
        header->error <= 0 && header->error >= -ERRNO_MAX && (header->error == 0 || size == 0);
    BerthMountRequest request;
    if (!take_request(carrier, header->unique, &request)) {
        g_mutex_lock(&carrier->lock);
        answer_waiting(carrier, header, body);
        g_mutex_unlock(&carrier->lock);
        return;
    }
    bool wanted = !request.abandoned;
    if (wanted && !valid) {
        answer_error(carrier, header->unique, EIO);
        return;
    }
    if (wanted && header->error == 0)
        forget_attributes(carrier, &request.header, body, size);
    int problem = wanted ? answer(carrier, header->unique, -header->error, body, size) : ENOENT;
    if (problem != 0 && problem != ENOENT)
        answer_error(carrier, header->unique, EIO);
    if (problem == 0 || !valid || header->error != 0)
        return;
    g_mutex_lock(&carrier->lock);
    undo(carrier, &request.header, body, size);
    g_mutex_unlock(&carrier->lock);
}

static bool fail_sent(BerthMountRequest *request, gpointer data)
{
    const Carrier *carrier = data;
    if (request->sent && !request->abandoned)
        answer_error(carrier, request->header.unique, ENOTCONN);
    return request->sent;
}

/* A thread's function: until the guest's end of the stream, or an answer that is none. */
static gpointer carry_answers(gpointer data)
{
    Carrier *carrier = data;
    g_autofree guint8 *body = g_malloc(WIRE_MOUNT_MESSAGE);
    struct fuse_out_header header;
    while (read_all(carrier->from_guest, &header, sizeof(header)) && header.len >= sizeof(header) &&
           header.len <= WIRE_MOUNT_MESSAGE &&
           read_all(carrier->from_guest, body, header.len - sizeof(header)))
        deliver(carrier, &header, body);
    g_mutex_lock(&carrier->lock);
    carrier->connected = false;
    berth_mount_ahead_clear(carrier->ahead);
    berth_mount_requests_filter(carrier->requests, fail_sent, carrier);
    g_mutex_unlock(&carrier->lock);
    return NULL;
}

/* ---- the thread that sends ---- */

/* Replace the last connection with a new one. The lock is held, but not while it waits. */
static void connect_guest(Carrier *carrier)
{
    g_mutex_unlock(&carrier->lock);
    if (carrier->answers != NULL) {
        g_thread_join(g_steal_pointer(&carrier->answers));
        carrier->guest->disconnect(carrier->guest->data);
    }
    bool connected =
        carrier->guest->connect(carrier->guest->data, &carrier->to_guest, &carrier->from_guest);
    g_mutex_lock(&carrier->lock);
    carrier->connected = connected;
    if (connected)
        carrier->answers = g_thread_new("answers", carry_answers, carrier);
}

/* The request of @message, if the kernel still waits for it. Forgets it if not. */
static BerthMountRequest *wanted_request(Carrier *carrier, const Message *message)
{
    BerthMountRequest *request = berth_mount_requests_find(carrier->requests, message->unique);
    if (request == NULL || !request->abandoned)
        return request;
    berth_mount_requests_remove(carrier->requests, message->unique);
    return NULL;
}

/* No guest is there for @message. */
static void fail(Carrier *carrier, const Message *message)
{
    const BerthMountRequest *request = wanted_request(carrier, message);
    if (request == NULL)
        return;
    bool released = message->opcode == FUSE_RELEASE || message->opcode == FUSE_RELEASEDIR;
    if (released)
        answer_error(carrier, message->unique, 0);
    else if (!answer_alone(carrier, &request->header))
        answer_error(carrier, message->unique, ENOTCONN);
    berth_mount_requests_remove(carrier->requests, message->unique);
}

/* The requests that have come meanwhile fail with the first: a start that fails takes long. */
static void fail_all(Carrier *carrier, const Message *first)
{
    fail(carrier, first);
    g_autofree Message *message = NULL;
    while ((message = g_queue_pop_head(&carrier->queue)) != NULL) {
        fail(carrier, message);
        g_clear_pointer(&message, g_free);
    }
}

static bool is_for_guest(const Message *message, const BerthMountRequest *request)
{
    if (request == NULL || !berth_mount_requests_needs_guest(message->opcode))
        return false;
    bool alone = message->opcode == FUSE_STATFS ||
                 (message->opcode == FUSE_GETATTR && request->header.nodeid == FUSE_ROOT_ID);
    return !alone;
}

/* Send @message; the lock is held, but not while it waits. */
static void send_message(Carrier *carrier, const Message *message)
{
    BerthMountRequest *request = wanted_request(carrier, message);
    if (message->unique != 0 && request == NULL)
        return;
    bool tries = !carrier->connected && is_for_guest(message, request);
    if (tries)
        connect_guest(carrier);
    if (!carrier->connected) {
        if (tries)
            fail_all(carrier, message);
        else
            fail(carrier, message);
        return;
    }
    request = wanted_request(carrier, message); /* it may be abandoned by now */
    if (message->unique != 0 && request == NULL)
        return;
    if (request != NULL)
        request->sent = true;
    g_mutex_unlock(&carrier->lock);
    berth_fd_write_all(carrier->to_guest, message->bytes, message->size);
    g_mutex_lock(&carrier->lock); /* if it failed, the answers end, too, and fail what was sent */
}

static gpointer send_requests(gpointer data)
{
    Carrier *carrier = data;
    g_mutex_lock(&carrier->lock);
    for (;;) {
        while (g_queue_is_empty(&carrier->queue))
            g_cond_wait(&carrier->changed, &carrier->lock);
        g_autofree Message *message = g_queue_pop_head(&carrier->queue);
        send_message(carrier, message);
    }
    return NULL;
}

/* ---- the kernel's requests ---- */

static void interrupt(Carrier *carrier, guint64 unique)
{
    BerthMountRequest *request = berth_mount_requests_find(carrier->requests, unique);
    if (request != NULL && request->deadline == 0)
        request->deadline = g_get_monotonic_time() + INTERRUPT_USEC;
}

typedef struct {
    const Carrier *carrier;
    gint64 now, next; /* next: the earliest deadline to come, or 0 */
} Deadlines;

static bool check_deadline(BerthMountRequest *request, gpointer data)
{
    Deadlines *deadlines = data;
    if (request->deadline == 0 || request->abandoned)
        return false;
    if (request->deadline <= deadlines->now) {
        request->abandoned = true;
        answer_error(deadlines->carrier, request->header.unique, EINTR);
    } else if (deadlines->next == 0 || request->deadline < deadlines->next) {
        deadlines->next = request->deadline;
    }
    return false;
}

/* End the requests whose time is up. Returns milliseconds until the next one's, or -1. */
static int check_deadlines(Carrier *carrier)
{
    Deadlines deadlines = {carrier, g_get_monotonic_time(), 0};
    g_mutex_lock(&carrier->lock);
    berth_mount_requests_filter(carrier->requests, check_deadline, &deadlines);
    g_mutex_unlock(&carrier->lock);
    return deadlines.next == 0 ? -1 : (int)((deadlines.next - deadlines.now) / 1000) + 1;
}

/* Answer a request for WIRE_MOUNT_DISTRO, which has @body. False: it is another one. */
static bool answer_distro(const Carrier *carrier, const struct fuse_in_header *header,
                          const guint8 *body)
{
    const char *id = carrier->guest->id;
    const struct fuse_getxattr_in *in = (const struct fuse_getxattr_in *)body;
    gsize size = header->len - sizeof(*header);
    if (header->opcode != FUSE_GETXATTR || header->nodeid != FUSE_ROOT_ID ||
        size != sizeof(*in) + sizeof(WIRE_MOUNT_DISTRO) ||
        memcmp(in + 1, WIRE_MOUNT_DISTRO, sizeof(WIRE_MOUNT_DISTRO)) != 0)
        return false;
    const struct fuse_getxattr_out out = {.size = (guint32)strlen(id)};
    if (in->size == 0)
        answer(carrier, header->unique, 0, &out, sizeof(out));
    else if (in->size < out.size)
        answer_error(carrier, header->unique, ERANGE);
    else
        answer(carrier, header->unique, 0, id, out.size);
    return true;
}

static void answer_init(const Carrier *carrier, const struct fuse_in_header *header,
                        const guint8 *body)
{
    guint8 out[BERTH_MOUNT_LOCAL_MAX];
    gsize size = berth_mount_answer_init(body, header->len - sizeof(*header), out);
    answer(carrier, header->unique, size > 0 ? 0 : EPROTO, out, size);
}

/* Take a read of the kernel's, and ask the guest for what probably follows. */
static void take_read(Carrier *carrier, const BerthMountRead *read)
{
    gint64 now = g_get_monotonic_time();
    g_autoptr(GBytes) data = NULL;
    g_autoptr(GArray) plan = g_array_new(FALSE, FALSE, sizeof(BerthMountRead));
    BerthAheadResult result = berth_mount_ahead_read(carrier->ahead, read, now, &data);
    if (result == BERTH_AHEAD_READY) {
        gsize size;
        gconstpointer bytes = g_bytes_get_data(data, &size);
        answer(carrier, read->header.unique, 0, bytes, size);
    } else {
        BerthMountRequest *request = berth_mount_requests_add(carrier->requests, &read->header);
        request->sent = result == BERTH_AHEAD_COMING;
        if (result == BERTH_AHEAD_UNKNOWN)
            enqueue(carrier, read, sizeof(*read));
    }
    berth_mount_ahead_plan(carrier->ahead, read, now, plan);
    for (guint i = 0; i < plan->len; i++)
        enqueue(carrier, &g_array_index(plan, BerthMountRead, i), sizeof(BerthMountRead));
}

/* Take any other request for the guest. */
static void take_other(Carrier *carrier, const struct fuse_in_header *header, gsize size)
{
    const struct fuse_release_in *in = (const struct fuse_release_in *)(header + 1);
    bool changes = berth_mount_ahead_is_change(header);
    if (berth_mount_requests_has_answer(header->opcode))
        berth_mount_requests_add(carrier->requests, header)->changes = changes;
    if (changes)
        berth_mount_ahead_drop(carrier->ahead);
    if (header->opcode == FUSE_RELEASE)
        berth_mount_ahead_release(carrier->ahead, in->fh);
    enqueue(carrier, header, size);
}

static void take_message(Carrier *carrier, const guint8 *bytes, gsize size)
{
    const struct fuse_in_header *header = (const struct fuse_in_header *)bytes;
    const struct fuse_interrupt_in *in = (const struct fuse_interrupt_in *)(header + 1);
    if (header->opcode == FUSE_INIT) {
        answer_init(carrier, header, bytes + sizeof(*header));
        return;
    }
    if (answer_distro(carrier, header, bytes + sizeof(*header)))
        return;
    if (header->opcode != FUSE_INTERRUPT && !berth_mount_requests_is_known(header->opcode)) {
        answer_error(carrier, header->unique, header->opcode == FUSE_DESTROY ? 0 : ENOSYS);
        return;
    }
    g_mutex_lock(&carrier->lock);
    if (header->opcode == FUSE_INTERRUPT)
        interrupt(carrier, in->unique);
    else if (header->opcode == FUSE_READ && size == sizeof(BerthMountRead))
        take_read(carrier, (const BerthMountRead *)bytes);
    else
        take_other(carrier, header, size);
    g_mutex_unlock(&carrier->lock);
}

/* Until the mount has gone. */
static void read_requests(Carrier *carrier)
{
    g_autofree guint8 *bytes = g_malloc(WIRE_MOUNT_MESSAGE);
    for (;;) {
        struct pollfd wait = {.fd = carrier->fuse, .events = POLLIN};
        int ready = poll(&wait, 1, check_deadlines(carrier));
        if (ready <= 0)
            continue;
        ssize_t size = read(carrier->fuse, bytes, WIRE_MOUNT_MESSAGE);
        if (size >= (ssize_t)sizeof(struct fuse_in_header))
            take_message(carrier, bytes, (gsize)size);
        else if (size >= 0 || (errno != ENOENT && errno != EINTR && errno != EAGAIN))
            return; /* ENODEV */
    }
}

void berth_mount_carry(int fuse, const BerthMountGuest *guest)
{
    Carrier carrier = {
        .fuse = fuse,
        .guest = guest,
        .requests = berth_mount_requests_new(),
        .ahead = berth_mount_ahead_new(),
        .to_guest = -1,
        .from_guest = -1,
    };
    g_mutex_init(&carrier.lock);
    g_cond_init(&carrier.changed);
    g_queue_init(&carrier.queue);
    GThread *sender = g_thread_new("requests", send_requests, &carrier);
    read_requests(&carrier);
    (void)sender;
    _exit(0); /* the threads may wait for the guest */
}

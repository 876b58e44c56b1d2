/* SPDX-License-Identifier: MIT */
#include "transport.h"

#include "message.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_SIZE (1024u * 1024u) /* more than a socket takes */

struct BerthTransport {
    int fd;
    int answers_fd;
    GMutex reading;
    GMutex writing;
    guint8 *answer;       /* room for one, for who writes */
    bool ended;           /* at EOF, or the message boundary is lost */
    bool begun;           /* INIT was read */
    guint64 init_unique;  /* of INIT, until it is answered */
    guint32 init_offered; /* its flags */
};

BerthTransport *berth_transport_new(int fd, int answers_fd)
{
    BerthTransport *transport = g_new0(BerthTransport, 1);
    transport->fd = fd;
    transport->answers_fd = answers_fd;
    transport->answer = g_malloc(ANSWER_SIZE);
    g_mutex_init(&transport->reading);
    g_mutex_init(&transport->writing);
    return transport;
}

void berth_transport_free(BerthTransport *transport)
{
    if (transport == NULL)
        return;
    g_mutex_clear(&transport->reading);
    g_mutex_clear(&transport->writing);
    g_free(transport->answer);
    g_free(transport);
}

static bool read_all(int fd, void *buffer, gsize size)
{
    for (gsize done = 0; done < size;) {
        ssize_t got = recv(fd, (guint8 *)buffer + done, size - done, MSG_WAITALL);
        if (got <= 0 && !(got < 0 && errno == EINTR))
            return false;
        done += got > 0 ? (gsize)got : 0;
    }
    return true;
}

static void send_all(int fd, const guint8 *bytes, gsize size)
{
    for (gsize done = 0; done < size;) {
        ssize_t sent = send(fd, bytes + done, size - done, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            shutdown(fd, SHUT_RDWR); /* the guest would wait for the answer: it sees the end */
            return;
        }
        done += sent > 0 ? (gsize)sent : 0;
    }
}

static void refuse(BerthTransport *transport, const guint8 *message, int errnum)
{
    struct fuse_in_header header;
    memcpy(&header, message, sizeof(header));
    struct fuse_out_header answer = {
        .len = sizeof(answer), .error = -errnum, .unique = header.unique};
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&transport->writing);
    if (berth_message_wants_answer(message))
        send_all(transport->fd, (const guint8 *)&answer, sizeof(answer));
}

static void note_init(BerthTransport *transport, const guint8 *message)
{
    struct fuse_in_header header;
    struct fuse_init_in init = {0};
    memcpy(&header, message, sizeof(header));
    memcpy(&init, message + sizeof(header), MIN(sizeof(init), header.len - sizeof(header)));
    transport->begun = true;
    transport->init_unique = header.unique;
    transport->init_offered = init.flags;
}

/* One message, of which @ret_size is the length. False at the end. */
static bool read_message(BerthTransport *transport, guint8 *buffer, gsize size, gsize *ret_size)
{
    guint32 length;
    if (!read_all(transport->fd, buffer, BERTH_MESSAGE_HEADER))
        return false;
    memcpy(&length, buffer, sizeof(length));
    if (length < BERTH_MESSAGE_HEADER || length > size)
        return false;
    *ret_size = length;
    return read_all(transport->fd, buffer + BERTH_MESSAGE_HEADER, length - BERTH_MESSAGE_HEADER);
}

/* The next valid request; -1 at the end. */
static ssize_t read_valid(BerthTransport *transport, guint8 *buffer, gsize size)
{
    gsize length = 0;
    while (!transport->ended && read_message(transport, buffer, size, &length)) {
        BerthMessageVerdict verdict = berth_message_check(buffer, length, transport->begun);
        if (verdict == BERTH_MESSAGE_GOOD) {
            if (!transport->begun)
                note_init(transport, buffer);
            return (ssize_t)length;
        }
        refuse(transport, buffer, verdict == BERTH_MESSAGE_UNKNOWN ? ENOSYS : EINVAL);
    }
    transport->ended = true; /* for all threads */
    return -1;
}

static bool is_release(const void *message)
{
    struct fuse_in_header header;
    memcpy(&header, message, sizeof(header));
    return header.opcode == FUSE_RELEASE;
}

ssize_t berth_transport_read(BerthTransport *transport, void *buffer, gsize size)
{
    g_mutex_lock(&transport->reading);
    ssize_t length = read_valid(transport, buffer, size);
    if (length < 0 || !is_release(buffer))
        g_mutex_unlock(&transport->reading);
    if (length < 0)
        errno = ENODEV;
    return length;
}

void berth_transport_handled(BerthTransport *transport, const void *request)
{
    if (is_release(request))
        g_mutex_unlock(&transport->reading);
}

/* Without this the guest's kernel asks for security.capability before each write, a request of its
 * own: our writes have no privileges, so the host's kernel clears the set-id bits. libfuse 3.14 has
 * no name for the flag. */
static void offer_killpriv(BerthTransport *transport, guint8 *answer, gsize size)
{
    struct fuse_out_header header;
    struct fuse_init_out init;
    memcpy(&header, answer, sizeof(header));
    if (transport->init_unique == 0 || header.unique != transport->init_unique)
        return;
    transport->init_unique = 0;
    if (header.error != 0 || size < sizeof(header) + FUSE_COMPAT_22_INIT_OUT_SIZE)
        return;
    memcpy(&init, answer + sizeof(header), FUSE_COMPAT_22_INIT_OUT_SIZE);
    init.flags |= transport->init_offered & FUSE_HANDLE_KILLPRIV_V2;
    memcpy(answer + sizeof(header), &init, FUSE_COMPAT_22_INIT_OUT_SIZE);
}

void berth_transport_send(BerthTransport *transport, const guint8 *bytes, gsize size)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&transport->writing);
    send_all(transport->fd, bytes, size);
}

void berth_transport_flush(BerthTransport *transport)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&transport->writing);
    for (;;) {
        ssize_t size = recv(transport->answers_fd, transport->answer, ANSWER_SIZE, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < (ssize_t)sizeof(struct fuse_out_header))
            return;
        offer_killpriv(transport, transport->answer, (gsize)size);
        send_all(transport->fd, transport->answer, (gsize)size);
    }
}

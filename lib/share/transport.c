/* SPDX-License-Identifier: MIT */
#include "transport.h"

#include "message.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PARTS_MAX 64

struct BerthTransport {
    int fd;
    GMutex reading;
    GMutex writing;
    bool ended;           /* at EOF, or the message boundary is lost */
    bool begun;           /* INIT was read */
    guint64 init_unique;  /* of INIT, until it is answered */
    guint32 init_offered; /* its flags */
};

BerthTransport *berth_transport_new(int fd)
{
    BerthTransport *transport = g_new0(BerthTransport, 1);
    transport->fd = fd;
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

static void refuse(BerthTransport *transport, const guint8 *message, int errnum)
{
    struct fuse_in_header header;
    memcpy(&header, message, sizeof(header));
    struct fuse_out_header answer = {
        .len = sizeof(answer), .error = -errnum, .unique = header.unique};
    struct iovec part = {&answer, sizeof(answer)};
    if (berth_message_wants_answer(message))
        berth_transport_write(transport, &part, 1);
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

ssize_t berth_transport_read(BerthTransport *transport, void *buffer, gsize size)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&transport->reading);
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
    errno = ENODEV;
    return -1;
}

/* Without this the guest's kernel asks for security.capability before each write, a request of its
 * own: our writes have no privileges, so the host's kernel clears the set-id bits. libfuse 3.14 has
 * no name for the flag. */
static void offer_killpriv(BerthTransport *transport, struct iovec *parts, int count,
                           struct fuse_init_out *init)
{
    struct fuse_out_header header;
    if (transport->init_unique == 0 || count < 2 || parts[0].iov_len != sizeof(header))
        return;
    memcpy(&header, parts[0].iov_base, sizeof(header));
    if (header.unique != transport->init_unique)
        return;
    transport->init_unique = 0;
    if (header.error != 0 || parts[1].iov_len > sizeof(*init))
        return;
    memcpy(init, parts[1].iov_base, parts[1].iov_len);
    init->flags |= transport->init_offered & FUSE_HANDLE_KILLPRIV_V2;
    parts[1].iov_base = init;
}

ssize_t berth_transport_write(BerthTransport *transport, const struct iovec *parts, int count)
{
    struct iovec rest[PARTS_MAX];
    struct fuse_init_out init = {0};
    gsize length = 0;
    if (count > PARTS_MAX) {
        errno = EINVAL;
        return -1;
    }
    memcpy(rest, parts, sizeof(*parts) * (gsize)count);
    for (int i = 0; i < count; i++)
        length += rest[i].iov_len;

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&transport->writing);
    offer_killpriv(transport, rest, count, &init);
    struct msghdr message = {.msg_iov = rest, .msg_iovlen = (gsize)count};
    while (message.msg_iovlen > 0) {
        ssize_t sent = sendmsg(transport->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return -1;
        for (gsize left = sent > 0 ? (gsize)sent : 0; message.msg_iovlen > 0;) {
            struct iovec *part = message.msg_iov;
            gsize used = MIN(left, part->iov_len);
            part->iov_base = (guint8 *)part->iov_base + used;
            part->iov_len -= used;
            left -= used;
            if (part->iov_len > 0)
                break;
            message.msg_iov++;
            message.msg_iovlen--;
        }
    }
    return (ssize_t)length;
}

/* SPDX-License-Identifier: MIT
 *
 * transport — whole FUSE messages over a stream socket, which QEMU joins to the guest's port.
 *
 * Each message begins with its length, as on /dev/fuse. This module answers the requests that
 * message.h refuses and does not return them. libfuse writes its answers to a SOCK_SEQPACKET
 * socket, which keeps them whole; any thread that has caused one flushes it to the port. Any thread
 * may read and flush; messages do not mix.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct BerthTransport BerthTransport;

#define BERTH_TRANSPORT_REQUEST_MAX (1024u * 1024u + 4096u) /* FUSE_MAX_MAX_PAGES, and a header */

/* Both are borrowed: @fd, the blocking stream, and @answers_fd, the end of libfuse's socket that is
 * read. */
BerthTransport *berth_transport_new(int fd, int answers_fd);
void berth_transport_free(BerthTransport *transport);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthTransport, berth_transport_free)

/* Read the next valid request into @buffer of @size bytes, BERTH_TRANSPORT_REQUEST_MAX or more;
 * returns its length. -1 with errno: ENODEV at the end, or after a malformed message. */
ssize_t berth_transport_read(BerthTransport *transport, void *buffer, gsize size);

/* To be called once a request that was read is handled, by the same thread. A RELEASE is handled
 * before any thread reads on: the request behind it may give the file another name, and the event
 * of the close has the former one. */
void berth_transport_handled(BerthTransport *transport, const void *request);

/* Send a message of the caller's own, whole. */
void berth_transport_send(BerthTransport *transport, const guint8 *bytes, gsize size);

/* Send the answers and notifications that libfuse has written. To be called after each, since its
 * socket holds few of them. */
void berth_transport_flush(BerthTransport *transport);

G_END_DECLS

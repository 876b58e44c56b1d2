/* SPDX-License-Identifier: MIT
 *
 * transport — whole FUSE messages over a stream socket, which QEMU joins to the guest's port.
 *
 * Each message begins with its length, as on /dev/fuse. This module answers the requests that
 * message.h refuses and does not return them. Any thread may read and write; messages do not mix.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>
#include <sys/uio.h>

G_BEGIN_DECLS

typedef struct BerthTransport BerthTransport;

/* @fd is borrowed, and blocking. */
BerthTransport *berth_transport_new(int fd);
void berth_transport_free(BerthTransport *transport);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthTransport, berth_transport_free)

/* Read the next valid request; returns its length. -1 with errno: ENODEV at the end, or after a
 * malformed message. @size bytes, at least 1 MiB + 4 KiB, fit into @buffer. */
ssize_t berth_transport_read(BerthTransport *transport, void *buffer, gsize size);

/* Send a message. Its length, or -1 with errno. */
ssize_t berth_transport_write(BerthTransport *transport, const struct iovec *parts, int count);

G_END_DECLS

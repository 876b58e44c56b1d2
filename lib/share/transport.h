/* SPDX-License-Identifier: MIT
 *
 * transport — whole FUSE messages over a stream socket, which QEMU joins to the guest's port.
 *
 * Each message begins with its length, as on /dev/fuse. Requests that message.h refuses are
 * answered here and never returned. Reading and writing are each safe from any thread; a message is
 * never cut by another.
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

/* The next good request, its length. -1 with errno: ENODEV at the end, or when the guest sent what
 * is no message. @size bytes, at least 1 MiB + 4 KiB, fit into @buffer. */
ssize_t berth_transport_read(BerthTransport *transport, void *buffer, gsize size);

/* Send a message. Its length, or -1 with errno. */
ssize_t berth_transport_write(BerthTransport *transport, const struct iovec *parts, int count);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * free_port — a port of localhost that no other process takes before the test that asked for it.
 *
 * As in ports.py: the kernel gives it to no socket that names no port, and a name among abstract
 * Unix sockets keeps it from other processes of this network for as long as this one lives.
 */
#pragma once

#include "base/fd.h"

#include <glib.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FREE_PORT_FIRST 16384
#define FREE_PORT_END   32768 /* where Linux begins to give ports away, unless told otherwise */

/* The name's descriptor stays open; -1: another process has the port. */
static inline int reserve_port(guint16 port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int size = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "berth-test-port-%u", port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(fd, >=, 0);
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + (socklen_t)size;
    if (bind(fd, (struct sockaddr *)&name, length) < 0)
        berth_fd_close(&fd);
    return fd;
}

static inline gboolean is_unused_port(guint16 port)
{
    const int kinds[] = {SOCK_STREAM, SOCK_DGRAM};
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    gboolean unused = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(kinds) && unused; i++) {
        berth_autofd int fd = socket(AF_INET, kinds[i] | SOCK_CLOEXEC, 0);
        unused = bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0;
    }
    return unused;
}

static inline guint16 free_port(void)
{
    for (;;) {
        guint16 port = (guint16)g_random_int_range(FREE_PORT_FIRST, FREE_PORT_END);
        if (reserve_port(port) >= 0 && is_unused_port(port))
            return port;
    }
}

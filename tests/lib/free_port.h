/* SPDX-License-Identifier: MIT
 *
 * free_port — an unused TCP port of localhost.
 */
#pragma once

#include "base/fd.h"

#include <glib.h>
#include <netinet/in.h>
#include <sys/socket.h>

static inline guint16 free_port(void)
{
    berth_autofd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&name, size), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&name, &size), ==, 0);
    return ntohs(name.sin_port);
}

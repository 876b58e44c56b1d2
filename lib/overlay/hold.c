/* SPDX-License-Identifier: MIT */
#include "hold.h"

#include "overlay_private.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME      "hold"
#define WAIT_SEC  10
#define WAIT_USEC ((gint64)WAIT_SEC * G_USEC_PER_SEC)

/* A path of any length fits by its directory's descriptor. */
static struct sockaddr_un address_of(const BerthOverlay *overlay)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" NAME, overlay->dir);
    return address;
}

int berth_overlay_listen(const BerthOverlay *overlay)
{
    const struct sockaddr_un address = address_of(overlay);
    berth_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || (unlinkat(overlay->dir, NAME, 0) < 0 && errno != ENOENT) ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0)
        return -errno;
    return berth_fd_steal(&fd);
}

bool berth_overlay_send(int fd, char byte)
{
    return send(fd, &byte, 1, MSG_NOSIGNAL) == 1;
}

/* Wait for @wanted from @fd for a limited time. */
static bool await(int fd, char wanted)
{
    char byte = 0;
    gint64 end = g_get_monotonic_time() + WAIT_USEC;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    for (;;) {
        gint64 left = MAX(end - g_get_monotonic_time(), 0);
        int count = poll(&readable, 1, (int)((left + 999) / 1000));
        if (count > 0)
            return recv(fd, &byte, 1, 0) == 1 && byte == wanted;
        if (count == 0 || errno != EINTR)
            return false;
    }
}

int berth_overlay_hold(const BerthOverlay *overlay, GError **error)
{
    const struct sockaddr_un address = address_of(overlay);
    berth_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        await(fd, BERTH_OVERLAY_HELD))
        return berth_fd_steal(&fd);
    berth_error_set(error, BERTH_ERROR_BUSY, "overlay.busy", NULL, "another process uses it");
    return -1;
}

void berth_overlay_let_go(int fd)
{
    shutdown(fd, SHUT_WR);
}

bool berth_overlay_await_shown(int fd)
{
    return await(fd, BERTH_OVERLAY_SHOWN);
}

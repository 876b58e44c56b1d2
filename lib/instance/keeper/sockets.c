/* SPDX-License-Identifier: MIT */
#include "sockets.h"

#include "acceptor.h"
#include "base/error.h"
#include "base/fd.h"
#include "instance/control/runtime_files.h"
#include "socket_relay.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

static const struct {
    const char *name;  /* in the runtime directory */
    const char *guest; /* in the distro */
} forwarded[] = {
    {BERTH_RUNTIME_DOCKER, BERTH_GUEST_DOCKER_SOCKET},
};

typedef struct {
    BerthSockets *sockets;
    const char *name;
    const char *guest;
    int fd;
    BerthAcceptor *acceptor; /* only while the guest is up */
} Listener;

struct BerthSockets {
    BerthStreams *streams; /* borrowed */
    BerthSocketsLogFunc log;
    gpointer user_data;
    int dir_fd; /* of the runtime directory, or -1 */
    Listener listeners[G_N_ELEMENTS(forwarded)];
    GHashTable *relays; /* set of BerthSocketRelay*, owned */
};

/* --- connections ------------------------------------------------------------------------------ */

static void on_over(BerthSocketRelay *relay, const char *problem, gpointer user_data)
{
    BerthSockets *sockets = user_data;
    if (problem != NULL)
        sockets->log(problem, sockets->user_data);
    g_hash_table_remove(sockets->relays, relay);
}

static void on_client(int client, gpointer user_data)
{
    Listener *listener = user_data;
    BerthSockets *sockets = listener->sockets;
    g_hash_table_add(sockets->relays, berth_socket_relay_new(client, sockets->streams,
                                                             listener->guest, on_over, sockets));
}

void berth_sockets_reset(BerthSockets *sockets)
{
    g_hash_table_remove_all(sockets->relays);
}

/* --- the sockets ------------------------------------------------------------------------------ */

void berth_sockets_set_up(BerthSockets *sockets, bool up)
{
    for (gsize i = 0; i < G_N_ELEMENTS(forwarded); i++) {
        Listener *listener = &sockets->listeners[i];
        if (!up)
            g_clear_pointer(&listener->acceptor, berth_acceptor_free);
        else if (listener->acceptor == NULL)
            listener->acceptor = berth_acceptor_new(listener->fd, on_client, listener);
    }
}

static int listen_at(const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (length < 0 || (gsize)length >= sizeof(address.sun_path)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "instance.path",
                        "set XDG_RUNTIME_DIR to a shorter path", "%s: too long for a socket", path);
        return -1;
    }
    unlink(path); /* left by a keeper that was killed */
    berth_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(path, 0600) < 0 || listen(fd, BACKLOG) < 0) {
        berth_error_set_errno(error, errno, "instance.start", "%s", path);
        return -1;
    }
    return berth_fd_steal(&fd);
}

BerthSockets *berth_sockets_new(const char *dir, BerthStreams *streams, BerthSocketsLogFunc log,
                                gpointer user_data, GError **error)
{
    BerthSockets *sockets = g_new0(BerthSockets, 1);
    sockets->streams = streams;
    sockets->log = log;
    sockets->dir_fd = berth_runtime_files_open(dir);
    sockets->user_data = user_data;
    sockets->relays =
        g_hash_table_new_full(NULL, NULL, (GDestroyNotify)berth_socket_relay_free, NULL);
    bool ok = true;
    for (gsize i = 0; i < G_N_ELEMENTS(forwarded); i++) {
        Listener *listener = &sockets->listeners[i];
        listener->sockets = sockets;
        listener->guest = forwarded[i].guest;
        listener->name = forwarded[i].name;
        g_autofree char *path = g_build_filename(dir, listener->name, NULL);
        listener->fd = ok ? listen_at(path, error) : -1;
        ok = listener->fd >= 0;
    }
    if (!ok)
        g_clear_pointer(&sockets, berth_sockets_free);
    return sockets;
}

void berth_sockets_free(BerthSockets *sockets)
{
    if (sockets == NULL)
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(forwarded); i++) {
        Listener *listener = &sockets->listeners[i];
        berth_acceptor_free(listener->acceptor);
        if (listener->fd >= 0)
            unlinkat(sockets->dir_fd, listener->name, 0);
        berth_fd_close(&listener->fd);
    }
    berth_fd_close(&sockets->dir_fd);
    g_hash_table_unref(sockets->relays);
    g_free(sockets);
}

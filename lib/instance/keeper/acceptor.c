/* SPDX-License-Identifier: MIT */
#include "acceptor.h"

#include "base/fd.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdbool.h>
#include <sys/socket.h>

struct BerthAcceptor {
    int fd;
    BerthAcceptorFunc func;
    gpointer user_data;
    GSource *source; /* on the socket, or the back-off timer */
};

static void set_source(BerthAcceptor *acceptor, GSource *source, GSourceFunc func)
{
    if (acceptor->source != NULL) {
        g_source_destroy(acceptor->source);
        g_clear_pointer(&acceptor->source, g_source_unref);
    }
    if (source == NULL)
        return;
    g_source_set_callback(source, func, acceptor, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
    acceptor->source = source;
}

static gboolean on_acceptable(gint fd, GIOCondition condition, gpointer user_data);

static void start_accepting(BerthAcceptor *acceptor)
{
    set_source(acceptor, g_unix_fd_source_new(acceptor->fd, G_IO_IN), G_SOURCE_FUNC(on_acceptable));
}

static gboolean on_backoff_over(gpointer user_data)
{
    start_accepting(user_data);
    return G_SOURCE_REMOVE;
}

/* Errors that leave the connection in the backlog, so that the socket stays readable. */
static bool is_out_of_resources(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

static gboolean on_acceptable(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthAcceptor *acceptor = user_data;
    int client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client_fd >= 0)
        acceptor->func(client_fd, acceptor->user_data);
    else if (is_out_of_resources(errno))
        set_source(acceptor, g_timeout_source_new(BERTH_ACCEPTOR_BACKOFF_MSEC), on_backoff_over);
    return G_SOURCE_CONTINUE; /* harmless once the source is destroyed */
}

BerthAcceptor *berth_acceptor_new(int listen_fd, BerthAcceptorFunc func, gpointer user_data)
{
    BerthAcceptor *acceptor = g_new0(BerthAcceptor, 1);
    acceptor->fd = listen_fd;
    acceptor->func = func;
    acceptor->user_data = user_data;
    berth_fd_set_nonblocking(listen_fd, true);
    start_accepting(acceptor);
    return acceptor;
}

void berth_acceptor_free(BerthAcceptor *acceptor)
{
    if (acceptor == NULL)
        return;
    set_source(acceptor, NULL, NULL);
    g_free(acceptor);
}

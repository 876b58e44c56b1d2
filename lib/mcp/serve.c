/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include "base/error.h"
#include "base/fd.h"
#include "conversation.h"
#include "rpc.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CHUNK       65536
#define BACKLOG_MAX ((gsize)4 << 20) /* no message is read before the client has taken answers */

enum { INPUT, OUTPUT, SIGNALS, FIXED };

typedef struct {
    const BerthMcpServe *serve;
    BerthConversation *conversation;
    BerthChildren *children;
    GByteArray *line; /* the begin of the next message */
    GString *backlog; /* answers that are not written yet */
    int signals;
    bool skipping; /* the message is too long */
    bool ended;    /* nothing more comes */
    GError *error;
} Server;

/* --- what the conversation asks for --- */

static void begin(guint number, const BerthMcpCall *call, gpointer user_data)
{
    Server *server = user_data;
    berth_children_begin(server->children, number, call);
}

static void cancel(guint number, gpointer user_data)
{
    Server *server = user_data;
    berth_children_cancel(server->children, number);
}

static void send_line(const char *line, gpointer user_data)
{
    Server *server = user_data;
    g_string_append(server->backlog, line);
    g_string_append_c(server->backlog, '\n');
}

static const BerthConversationOps ops = {begin, cancel, send_line};

static void on_finished(guint number, const BerthMcpOutcome *outcome, gpointer user_data)
{
    Server *server = user_data;
    berth_conversation_finished(server->conversation, number, outcome);
}

/* --- messages --- */

static void end(Server *server)
{
    server->ended = true;
    berth_children_cancel_all(server->children);
}

static void fail(Server *server, const char *step)
{
    if (server->error == NULL)
        berth_error_set_errno(&server->error, errno, step, "the client");
    g_string_truncate(server->backlog, 0);
    end(server);
}

/* A message that is complete with the @size bytes at @bytes. */
static void take_line(Server *server, const guint8 *bytes, gsize size)
{
    g_byte_array_append(server->line, bytes, (guint)size);
    if (server->skipping || server->line->len > BERTH_RPC_LINE_MAX)
        berth_conversation_oversized(server->conversation);
    else if (server->line->len > 0)
        berth_conversation_receive(server->conversation, (const char *)server->line->data,
                                   server->line->len);
    server->skipping = false;
    g_byte_array_set_size(server->line, 0);
}

static void take_rest(Server *server, const guint8 *bytes, gsize size)
{
    if (!server->skipping)
        g_byte_array_append(server->line, bytes, (guint)size);
    if (server->line->len <= BERTH_RPC_LINE_MAX)
        return;
    server->skipping = true;
    g_byte_array_set_size(server->line, 0);
}

static void read_input(Server *server)
{
    guint8 bytes[CHUNK];
    ssize_t size = read(server->serve->input, bytes, sizeof(bytes));
    if (size < 0 && errno != EINTR && errno != EAGAIN)
        fail(server, "mcp.input");
    if (size == 0)
        end(server);
    gsize at = 0;
    while (size > 0 && at < (gsize)size) {
        const guint8 *newline = memchr(bytes + at, '\n', (gsize)size - at);
        if (newline == NULL)
            break;
        gsize length = (gsize)(newline - bytes) - at;
        take_line(server, bytes + at, length);
        at += length + 1;
    }
    if (size > 0)
        take_rest(server, bytes + at, (gsize)size - at);
}

/* No more than a pipe that is ready takes without blocking: its flags are shared with others. */
static void write_output(Server *server)
{
    ssize_t size =
        write(server->serve->output, server->backlog->str, MIN(server->backlog->len, PIPE_BUF));
    if (size > 0)
        g_string_erase(server->backlog, 0, size);
    else if (size < 0 && errno != EINTR && errno != EAGAIN)
        fail(server, "mcp.output");
}

/* --- the loop --- */

static void read_signal(Server *server)
{
    struct signalfd_siginfo info;
    if (read(server->signals, &info, sizeof(info)) < 0)
        return;
    g_string_truncate(server->backlog, 0);
    end(server);
}

static int open_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    sigset_t set;
    sigemptyset(&set);
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool reads_input(const Server *server)
{
    return !server->ended && server->backlog->len < BACKLOG_MAX;
}

static void turn(Server *server)
{
    g_autoptr(GArray) polled = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
    const struct pollfd fixed[FIXED] = {
        [INPUT] = {.fd = reads_input(server) ? server->serve->input : -1, .events = POLLIN},
        [OUTPUT] = {.fd = server->backlog->len > 0 ? server->serve->output : -1, .events = POLLOUT},
        [SIGNALS] = {.fd = server->signals, .events = POLLIN},
    };
    g_array_append_vals(polled, fixed, FIXED);
    int timeout = berth_children_poll(server->children, polled);
    struct pollfd *ready = &g_array_index(polled, struct pollfd, 0);
    if (poll(ready, polled->len, timeout) < 0)
        return;
    if (ready[SIGNALS].revents != 0)
        read_signal(server);
    if (ready[OUTPUT].revents != 0 && server->backlog->len > 0)
        write_output(server);
    if (ready[INPUT].revents != 0 && !server->ended)
        read_input(server);
    berth_children_handle(server->children);
}

bool berth_mcp_serve(const BerthMcpServe *serve, GError **error)
{
    Server server = {.serve = serve,
                     .line = g_byte_array_new(),
                     .backlog = g_string_new(NULL),
                     .signals = open_signals()};
    server.children = berth_children_new(serve->perform, on_finished, &server);
    server.conversation = berth_conversation_new(serve->version, &serve->access, &ops, &server);
    while (!server.ended || berth_children_count(server.children) > 0 || server.backlog->len > 0)
        turn(&server);
    berth_children_free(server.children);
    berth_conversation_free(server.conversation);
    g_byte_array_unref(server.line);
    g_string_free(server.backlog, TRUE);
    berth_fd_close(&server.signals);
    if (server.error == NULL)
        return true;
    g_propagate_error(error, server.error);
    return false;
}

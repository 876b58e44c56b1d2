/* SPDX-License-Identifier: MIT */
#include "server.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/control/hello.h"
#include "server_private.h"
#include <sys/socket.h>
#include <unistd.h>

/* Bytes of unread backlog per client: a window for each output, and room for other frames. */
#define CLIENT_BACKLOG_MAX (4u * WIRE_WINDOW)
/* Bytes buffered for a session that cannot be opened yet: its OPEN and what may follow. */
#define CLIENT_EARLY_MAX  (WIRE_OPEN_MAX + CLIENT_BACKLOG_MAX)
#define FINISH_DRAIN_MSEC 1000u
#define NOTICE_MAX        4096u /* bytes of a line */

static void end_session(Client *client)
{
    if (client->session == GUEST_SESSION) {
        berth_streams_close(client->server->streams, client->stream);
        client->server->sessions--;
    }
    client->session = NO_SESSION;
    wire_buffer_consume(&client->early, wire_buffer_size(&client->early));
}

static void client_free(gpointer data)
{
    Client *client = data;
    end_session(client);
    berth_link_free(client->link);
    wire_buffer_clear(&client->early);
    g_free(client);
}

static bool is_prepared(const BerthServer *server)
{
    for (guint i = 0; i < server->clients->len; i++)
        if (((const Client *)g_ptr_array_index(server->clients, i))->prepares)
            return true;
    return false;
}

/* Free @client, hang up its session and release its hold, if any. */
static void drop_client(Client *client)
{
    BerthServer *server = client->server;
    if (client->session == GUEST_SESSION)
        berth_streams_hang_up(server->streams, client->stream);
    bool held = client->holds, saved = client->saves || client->asked == ASKED_SAVE;
    bool prepared = client->prepares;
    g_ptr_array_remove_fast(server->clients, client);
    if (prepared && !is_prepared(server))
        server->ops->unprepare(server->user_data);
    if (saved)
        server->ops->forget(server->user_data);
    if (held)
        server->ops->release(server->user_data);
}

bool berth_server_client_is_busy(const Client *client)
{
    return client->asked != NOT_ASKED || client->session != NO_SESSION;
}

void berth_server_client_answer_done(Client *client)
{
    client->asked = NOT_ASKED;
    wire_frame_put(berth_link_output(client->link), (WireType)CONTROL_DONE, 0, 0, NULL, 0);
    berth_link_flush(client->link);
}

static void answer_error(Client *client, const GError *error)
{
    bool saves = client->asked == ASKED_SAVE || client->asked == ASKED_WRITTEN;
    client->holds = client->holds && saves; /* nor waits for it */
    client->asked = NOT_ASKED;
    berth_control_put_error(berth_link_output(client->link), error);
    berth_link_flush(client->link);
}

bool berth_server_client_answer_result(Client *client, bool ok, const GError *error)
{
    if (ok)
        berth_server_client_answer_done(client);
    else
        answer_error(client, error);
    return true;
}

/* --- pauses --------------------------------------------------------------------------------- */

static void send_line(Client *client, ControlType type, const char *line)
{
    WireBuffer *output = berth_link_output(client->link);
    size_t begin = wire_frame_begin(output, (WireType)type, 0, 0);
    wire_put_text(output, line, NOTICE_MAX);
    wire_frame_end(output, begin);
    berth_link_flush(client->link);
}

static bool has_room_for_notice(const Client *client)
{
    return berth_link_pending(client->link) < CLIENT_BACKLOG_MAX / 2;
}

void berth_server_client_notify_pause(Client *client)
{
    if (client->server->paused != NULL)
        send_line(client, CONTROL_PAUSED, client->server->paused);
}

void berth_server_notify_clients(BerthServer *server, const char *line)
{
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (berth_server_client_is_busy(client) && client->asked != ASKED_WATCH &&
            has_room_for_notice(client))
            send_line(client, CONTROL_PAUSED, line);
    }
}

void berth_server_set_paused(BerthServer *server, bool paused, const char *line)
{
    g_free(server->paused);
    server->paused = paused ? g_strdup(line) : NULL;
    if (line != NULL)
        berth_server_notify_clients(server, line);
}

/* --- sessions ------------------------------------------------------------------------------- */

/* Grant @credit what the CREDIT @frame gives. */
static bool grant_credit(WireCredit *credit, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint32 bytes = wire_get_u32(&reader);
    return wire_reader_done(&reader) && wire_credit_grant(credit, bytes);
}

static void on_guest_frame(const WireFrame *frame, gpointer owner)
{
    Client *client = owner;
    bool excess = frame->type == WIRE_DATA &&
                  !wire_credit_spend(&client->to_client[frame->channel], frame->size);
    if (frame->type == WIRE_CREDIT && frame->channel == WIRE_STDIN)
        grant_credit(&client->to_guest, frame); /* an invalid one reaches the client, which fails */
    if (excess || berth_link_pending(client->link) > CLIENT_BACKLOG_MAX) {
        g_autoptr(GError) error = NULL;
        berth_error_set(&error, BERTH_ERROR_PROTOCOL, "session.flood", NULL,
                        "the guest sent more data than its flow control allows");
        berth_streams_hang_up(client->server->streams, client->stream);
        end_session(client);
        answer_error(client, error);
        return;
    }

    client->opened |= frame->type == WIRE_OPENED;
    if (frame->type == WIRE_EXIT || frame->type == WIRE_FAILED)
        end_session(client);
    berth_link_forward(client->link, frame, client->local);
}

/* Open the session in the guest and pass on the frames buffered so far. */
static void start_session(Client *client)
{
    BerthServer *server = client->server;
    client->session = GUEST_SESSION;
    client->stream = berth_streams_open(server->streams, on_guest_frame, client);
    server->sessions++;

    WireFrame frame;
    while (client->session == GUEST_SESSION && wire_frame_peek(&client->early, &frame) == 1) {
        berth_streams_send(server->streams, &frame, client->stream);
        wire_buffer_consume(&client->early, WIRE_HEADER_SIZE + frame.size);
    }
}

static bool keep_early(Client *client, const WireFrame *frame)
{
    wire_frame_put(&client->early, frame->type, frame->channel, frame->stream, frame->payload,
                   frame->size);
    return !client->early.failed && wire_buffer_size(&client->early) <= CLIENT_EARLY_MAX;
}

static guint32 open_flags(const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    return wire_get_u32(&reader);
}

/* Whether the OPEN @frame runs a program of the distro's, its user's shell included. */
static bool opens_command(const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    wire_get_u32(&reader);
    wire_get_string(&reader);
    wire_get_string(&reader);
    wire_get_u32(&reader);
    bool has_words = wire_get_u32(&reader) > 0;
    return !has_words || !g_str_equal(wire_get_string(&reader), WIRE_GUEST_PROGRAM);
}

static bool can_start(const Client *client)
{
    return client->bare ? client->server->ready : client->server->up;
}

static bool open_session(Client *client, const WireFrame *frame)
{
    guint32 flags = open_flags(frame);
    if (berth_server_client_is_busy(client))
        return false;
    client->session = EARLY_SESSION;
    client->local = frame->stream;
    client->opened = false;
    client->bare = (flags & WIRE_OPEN_BARE) != 0;
    client->tty = (flags & WIRE_OPEN_TTY) != 0;
    client->is_command = opens_command(frame);
    client->more = (flags & WIRE_OPEN_MORE) != 0;
    client->open_size = frame->size;
    client->to_guest = (WireCredit)WIRE_CREDIT_INIT;
    for (guint i = 0; i < WIRE_CHANNELS; i++)
        client->to_client[i] = (WireCredit)WIRE_CREDIT_INIT;
    if (!keep_early(client, frame))
        return false;
    if (client->pid > 0 && client->server->ops->session_opened != NULL)
        client->server->ops->session_opened(client->pid, client->server->user_data);
    berth_server_client_notify_pause(client);
    if (can_start(client))
        start_session(client);
    else
        client->server->ops->wake(client->server->user_data);
    return true;
}

static bool handle_more(Client *client, const WireFrame *frame)
{
    client->open_size += frame->size;
    bool wanted = client->more && client->open_size <= WIRE_OPEN_MAX;
    client->more = frame->size == WIRE_PAYLOAD_MAX;
    return wanted;
}

/* Whether the protocol allows @frame from a client within a session. The guest checks payloads. */
static bool may_send(Client *client, const WireFrame *frame)
{
    if (client->more && frame->type != WIRE_MORE && frame->type != WIRE_CLOSE)
        return false;
    switch ((guint)frame->type) {
    case WIRE_DATA:
        return wire_credit_spend(&client->to_guest, frame->size);
    case WIRE_CREDIT:
        return grant_credit(&client->to_client[frame->channel], frame);
    case WIRE_MORE:
        return handle_more(client, frame);
    case WIRE_SIGNAL:
    case WIRE_RESIZE:
    case WIRE_CLOSE:
    case WIRE_EOF:
        return true;
    default:
        return false;
    }
}

static bool handle_session_frame(Client *client, const WireFrame *frame)
{
    if (frame->type == WIRE_OPEN)
        return open_session(client, frame);
    if (client->session == NO_SESSION)
        return true; /* the session has ended; the client may not know yet */
    if (frame->stream != client->local || !may_send(client, frame))
        return false;
    if (client->session == EARLY_SESSION)
        return keep_early(client, frame);
    berth_streams_send(client->server->streams, frame, client->stream);
    return true;
}

/* --- versions ------------------------------------------------------------------------------- */

static bool handle_hello(Client *client, const WireFrame *frame)
{
    if (berth_server_client_is_busy(client))
        return false;
    client->version = berth_hello_version(frame);
    berth_hello_put_answer(berth_link_output(client->link));
    berth_link_flush(client->link);
    return true;
}

/* Whether @frame is a request whose encoding depends on the protocol's version. */
static bool needs_version(const WireFrame *frame)
{
    return frame->type == WIRE_OPEN || (frame->stream == 0 && frame->type != CONTROL_STOP);
}

static bool refuse_version(Client *client)
{
    g_autoptr(GError) error = NULL;
    if (berth_server_client_is_busy(client) || berth_hello_check_client(client->version, &error))
        return false;
    answer_error(client, error);
    return true;
}

/* False disconnects the client and hangs up its session. A client that sends requests without
 * reading the answers is one such case. */
static bool on_frame(BerthLink *link, const WireFrame *frame, gpointer user_data)
{
    Client *client = user_data;
    bool hello = frame->type == BERTH_HELLO_TYPE;
    bool asks = hello || frame->stream == 0 || frame->type == WIRE_OPEN;
    if (asks && berth_link_pending(link) > CLIENT_BACKLOG_MAX)
        return false;
    if (hello)
        return handle_hello(client, frame);
    if (needs_version(frame) && refuse_version(client))
        return true;
    return frame->stream != 0 ? handle_session_frame(client, frame)
                              : berth_server_client_handle_request(client, frame);
}

static void on_closed(BerthLink *link, const GError *error, gpointer user_data)
{
    drop_client(user_data);
}

static pid_t pid_of(int client_fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    bool known = getsockopt(client_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    return known && peer.uid == geteuid() ? peer.pid : 0;
}

static void on_client(int client_fd, gpointer user_data)
{
    BerthServer *server = user_data;
    Client *client = g_new0(Client, 1);
    client->server = server;
    client->pid = pid_of(client_fd);
    client->link = berth_link_new(client_fd, on_frame, on_closed, client);
    g_ptr_array_add(server->clients, client);
}

/* --- calls from the instance ------------------------------------------------------------------ */

BerthServer *berth_server_new(int listen_fd, BerthStreams *streams, const BerthServerOps *ops,
                              gpointer user_data)
{
    BerthServer *server = g_new0(BerthServer, 1);
    server->ops = ops;
    server->user_data = user_data;
    server->listen_fd = listen_fd;
    server->clients = g_ptr_array_new_with_free_func(client_free);
    server->streams = streams;
    server->acceptor = berth_acceptor_new(listen_fd, on_client, server);
    return server;
}

void berth_server_free(BerthServer *server)
{
    if (server == NULL)
        return;
    berth_acceptor_free(server->acceptor);
    berth_fd_close(&server->listen_fd);
    g_ptr_array_unref(server->clients);
    g_free(server->paused);
    g_free(server);
}

static void answer_waiting(BerthServer *server)
{
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (client->asked == ASKED_WAIT && server->up)
            berth_server_client_answer_done(client);
        else if (client->session == EARLY_SESSION && can_start(client))
            start_session(client);
    }
}

/* Answer all clients that asked for @asked: DONE, or @error. */
static void answer_all(BerthServer *server, Asked asked, const GError *error)
{
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (client->asked == asked)
            berth_server_client_answer_result(client, error == NULL, error);
    }
}

void berth_server_grown(BerthServer *server, const GError *error)
{
    server->growing = false;
    answer_all(server, ASKED_GROW, error);
}

void berth_server_suspended(BerthServer *server, const GError *error)
{
    answer_all(server, ASKED_SUSPEND, error);
    if (error != NULL)
        answer_all(server, ASKED_HOLD, error);
}

void berth_server_prepared(BerthServer *server, const GError *error)
{
    answer_all(server, ASKED_PREPARE, error);
}

void berth_server_held(BerthServer *server, bool was_awake)
{
    const guint8 payload = was_awake;
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (client->asked != ASKED_HOLD)
            continue;
        client->asked = NOT_ASKED;
        wire_frame_put(berth_link_output(client->link), (WireType)CONTROL_HELD, 0, 0, &payload,
                       sizeof(payload));
        berth_link_flush(client->link);
    }
}

void berth_server_saved(BerthServer *server, BerthSaved how, int lent, const GError *error)
{
    g_autofree char *path =
        lent >= 0 ? g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), lent) : g_strdup("");
    if (error != NULL)
        answer_all(server, ASKED_SAVE, error);
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (client->asked != ASKED_SAVE)
            continue;
        client->asked = NOT_ASKED;
        client->saves = how != BERTH_SAVED_PARKED;
        WireBuffer *output = berth_link_output(client->link);
        size_t begin = wire_frame_begin(output, (WireType)CONTROL_SAVED, 0, 0);
        wire_put_u8(output, how);
        wire_put_string(output, path);
        wire_frame_end(output, begin);
        berth_link_flush(client->link);
    }
}

bool berth_server_written(BerthServer *server, const GError *error)
{
    bool waits = false;
    for (guint i = 0; i < server->clients->len; i++)
        waits |= ((const Client *)g_ptr_array_index(server->clients, i))->asked == ASKED_WRITTEN;
    answer_all(server, ASKED_WRITTEN, error);
    return waits;
}

bool berth_server_is_held(const BerthServer *server)
{
    for (guint i = 0; i < server->clients->len; i++)
        if (((const Client *)g_ptr_array_index(server->clients, i))->holds)
            return true;
    return false;
}

void berth_server_parked(BerthServer *server, const GError *error)
{
    answer_all(server, ASKED_PARK, error);
}

void berth_server_shares_settled(BerthServer *server, BerthSharesEffect effect)
{
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (client->asked == ASKED_SHARES)
            berth_server_client_answer_shares(
                client, effect != BERTH_SHARES_CURRENT ? effect : client->effect);
    }
}

void berth_server_set_up(BerthServer *server, bool up)
{
    server->ready = server->up = up;
    answer_waiting(server);
}

void berth_server_set_ready(BerthServer *server)
{
    server->ready = true;
    answer_waiting(server);
}

void berth_server_fail(BerthServer *server, const GError *error, bool keep_waiting)
{
    server->growing = false;
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        bool waits = client->asked == ASKED_WAIT || client->session == EARLY_SESSION;
        bool lost = client->asked == ASKED_GROW || client->asked == ASKED_SHARES ||
                    client->asked == ASKED_SUSPEND || client->asked == ASKED_PARK ||
                    client->asked == ASKED_HOLD || client->asked == ASKED_SAVE ||
                    client->asked == ASKED_WRITTEN || client->asked == ASKED_PREPARE ||
                    client->session == GUEST_SESSION;
        client->holds = false;
        if (!lost && (!waits || keep_waiting))
            continue;
        end_session(client);
        answer_error(client, error);
    }
}

void berth_server_release(BerthServer *server, const GError *error, bool asked)
{
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        bool unopened = asked && client->session == GUEST_SESSION && !client->opened;
        if (!unopened && client->session != EARLY_SESSION)
            continue;
        end_session(client);
        answer_error(client, error);
    }
}

void berth_server_finish(BerthServer *server, const GError *error)
{
    g_autofree BerthLink **links = g_new(BerthLink *, server->clients->len);
    berth_server_fail(server, error, false);
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (client->asked == ASKED_STOP || client->asked == ASKED_WATCH)
            berth_server_client_answer_done(client);
        links[i] = client->link;
    }
    berth_link_drain_all(links, server->clients->len, FINISH_DRAIN_MSEC);
}

/* Clients with too much unread backlog get no notices. */
static bool wants_notices(const Client *client)
{
    return client->session == GUEST_SESSION && client->opened && client->tty &&
           has_room_for_notice(client);
}

void berth_server_notify_terminals(BerthServer *server, const char *line)
{
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (wants_notices(client))
            send_line(client, CONTROL_NOTICE, line);
    }
}

/* Drop watchers whose unread backlog exceeds CLIENT_BACKLOG_MAX. */
void berth_server_ports_changed(BerthServer *server, const GPtrArray *forwards)
{
    for (guint i = server->clients->len; i > 0; i--) {
        Client *client = g_ptr_array_index(server->clients, i - 1);
        if (client->asked != ASKED_WATCH)
            continue;
        if (berth_link_pending(client->link) > CLIENT_BACKLOG_MAX) {
            drop_client(client);
            continue;
        }
        berth_control_put_ports(berth_link_output(client->link), forwards);
        berth_link_flush(client->link);
    }
}

guint berth_server_sessions(const BerthServer *server)
{
    return server->sessions;
}

static bool is_waited_for(const Client *client)
{
    bool has_command = client->session != NO_SESSION && (client->tty || client->is_command);
    return has_command || client->asked == ASKED_GROW || client->asked == ASKED_SHARES;
}

guint berth_server_waited_for(const BerthServer *server)
{
    guint count = server->growing;
    for (guint i = 0; i < server->clients->len; i++)
        count += is_waited_for(g_ptr_array_index(server->clients, i));
    return count;
}

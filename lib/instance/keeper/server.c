/* SPDX-License-Identifier: MIT */
#include "server.h"

#include "acceptor.h"
#include "base/error.h"
#include "base/fd.h"
#include "guest/link.h"

/* What may wait for a client that does not read: a window for each output, and room for the rest.
 */
#define CLIENT_BACKLOG_MAX (4u * WIRE_WINDOW)
/* The same of a session that cannot be opened yet: its OPEN, and what may follow it. */
#define CLIENT_EARLY_MAX  (WIRE_OPEN_MAX + CLIENT_BACKLOG_MAX)
#define FINISH_DRAIN_MSEC 1000u
#define NOTICE_MAX        4096u /* bytes of a line */

typedef enum { NOT_ASKED, ASKED_WAIT, ASKED_STOP, ASKED_GROW, ASKED_WATCH } Asked;

typedef enum {
    NO_SESSION,
    EARLY_SESSION, /* kept until the guest can take it */
    GUEST_SESSION, /* the guest was asked for it: in BerthServer.sessions by its stream */
} SessionState;

/* A client has a session or a request that is not answered yet or neither, never both: each has its
 * own member, and what would begin a second one is refused (is_busy). */
typedef struct {
    BerthServer *server;
    BerthLink *link;
    Asked asked;
    SessionState session;
    guint32 stream;                      /* of GUEST_SESSION in the guest */
    guint32 local;                       /* the client's own number for it */
    bool opened;                         /* the guest has begun the session */
    bool bare;                           /* it waits for nothing of the distro */
    bool tty;                            /* it has a terminal */
    bool more;                           /* OPEN goes on */
    guint32 open_size;                   /* bytes of it so far */
    WireCredit to_guest;                 /* what the client may still send */
    WireCredit to_client[WIRE_CHANNELS]; /* what the guest may still send */
    WireBuffer early;                    /* the frames of EARLY_SESSION */
} Client;

struct BerthServer {
    const BerthServerOps *ops;
    gpointer user_data;
    int listen_fd;
    BerthAcceptor *acceptor;
    GPtrArray *clients;   /* Client*, owned */
    GHashTable *sessions; /* stream -> Client*, borrowed */
    bool ready;           /* for bare sessions */
    bool up;              /* for all */
    char *paused;         /* why the distro stands still, a line; or NULL */
    bool growing;         /* whether or not the client that asked is still there */
};

static void client_free(gpointer data)
{
    Client *client = data;
    berth_link_free(client->link);
    wire_buffer_clear(&client->early);
    g_free(client);
}

/* Forget @client. Its session, if it still has one, is hung up. */
static void drop_client(Client *client)
{
    BerthServer *server = client->server;
    if (client->session == GUEST_SESSION) {
        g_hash_table_remove(server->sessions, GUINT_TO_POINTER(client->stream));
        server->ops->hang_up(client->stream, server->user_data);
    }
    g_ptr_array_remove_fast(server->clients, client);
}

static bool is_busy(const Client *client)
{
    return client->asked != NOT_ASKED || client->session != NO_SESSION;
}

static void answer_done(Client *client)
{
    client->asked = NOT_ASKED;
    wire_frame_put(berth_link_output(client->link), (WireType)CONTROL_DONE, 0, 0, NULL, 0);
    berth_link_flush(client->link);
}

/* The end of the client's request, or of its session: each client has one of them at most. */
static void answer_error(Client *client, const GError *error)
{
    client->asked = NOT_ASKED;
    berth_control_put_error(berth_link_output(client->link), error);
    berth_link_flush(client->link);
}

static bool answer_result(Client *client, bool ok, const GError *error)
{
    if (ok)
        answer_done(client);
    else
        answer_error(client, error);
    return true;
}

/* --- a distro that stands still ------------------------------------------------------------- */

static void put_line(Client *client, ControlType type, const char *line)
{
    WireBuffer *output = berth_link_output(client->link);
    size_t begin = wire_frame_begin(output, (WireType)type, 0, 0);
    wire_put_text(output, line, NOTICE_MAX);
    wire_frame_end(output, begin);
    berth_link_flush(client->link);
}

static bool takes_lines(const Client *client)
{
    return berth_link_pending(client->link) < CLIENT_BACKLOG_MAX / 2;
}

/* The client begins to wait for the distro. */
static void tell_pause(Client *client)
{
    if (client->server->paused != NULL)
        put_line(client, CONTROL_PAUSED, client->server->paused);
}

void berth_server_set_paused(BerthServer *server, bool paused, const char *line)
{
    g_free(server->paused);
    server->paused = paused ? g_strdup(line) : NULL;
    for (guint i = 0; i < server->clients->len && line != NULL; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (is_busy(client) && client->asked != ASKED_WATCH && takes_lines(client))
            put_line(client, CONTROL_PAUSED, line);
    }
}

/* --- sessions ------------------------------------------------------------------------------- */

static void end_session(Client *client)
{
    if (client->session == GUEST_SESSION)
        g_hash_table_remove(client->server->sessions, GUINT_TO_POINTER(client->stream));
    client->session = NO_SESSION;
    wire_buffer_consume(&client->early, wire_buffer_size(&client->early));
}

/* The guest is asked for the session, and gets what its client has sent so far. */
static void start_session(Client *client)
{
    BerthServer *server = client->server;
    client->session = GUEST_SESSION;
    client->stream = server->ops->new_stream(server->user_data);
    g_hash_table_insert(server->sessions, GUINT_TO_POINTER(client->stream), client);

    WireFrame frame;
    while (client->session == GUEST_SESSION && wire_frame_peek(&client->early, &frame) == 1) {
        server->ops->send(&frame, client->stream, server->user_data);
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

static bool can_start(const Client *client)
{
    return client->bare ? client->server->ready : client->server->up;
}

static bool open_session(Client *client, const WireFrame *frame)
{
    guint32 flags = open_flags(frame);
    if (is_busy(client))
        return false;
    client->session = EARLY_SESSION;
    client->local = frame->stream;
    client->opened = false;
    client->bare = (flags & WIRE_OPEN_BARE) != 0;
    client->tty = (flags & WIRE_OPEN_TTY) != 0;
    client->more = (flags & WIRE_OPEN_MORE) != 0;
    client->open_size = frame->size;
    client->to_guest = (WireCredit)WIRE_CREDIT_INIT;
    for (guint i = 0; i < WIRE_CHANNELS; i++)
        client->to_client[i] = (WireCredit)WIRE_CREDIT_INIT;
    if (!keep_early(client, frame))
        return false;
    tell_pause(client);
    if (can_start(client))
        start_session(client);
    return true;
}

/* Grant @credit what the CREDIT @frame gives. */
static bool note_credit(WireCredit *credit, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint32 bytes = wire_get_u32(&reader);
    return wire_reader_done(&reader) && wire_credit_grant(credit, bytes);
}

static bool take_more(Client *client, const WireFrame *frame)
{
    client->open_size += frame->size;
    bool wanted = client->more && client->open_size <= WIRE_OPEN_MAX;
    client->more = frame->size == WIRE_PAYLOAD_MAX;
    return wanted;
}

/* Whether a client may send this within a session. The guest looks closer. */
static bool may_send(Client *client, const WireFrame *frame)
{
    if (client->more && frame->type != WIRE_MORE && frame->type != WIRE_CLOSE)
        return false;
    switch ((guint)frame->type) {
    case WIRE_DATA:
        return wire_credit_spend(&client->to_guest, frame->size);
    case WIRE_CREDIT:
        return note_credit(&client->to_client[frame->channel], frame);
    case WIRE_MORE:
        return take_more(client, frame);
    case WIRE_SIGNAL:
    case WIRE_RESIZE:
    case WIRE_CLOSE:
    case WIRE_EOF:
        return true;
    default:
        return false;
    }
}

static bool take_session_frame(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    if (frame->type == WIRE_OPEN)
        return open_session(client, frame);
    if (client->session == NO_SESSION)
        return true; /* it has ended; the client may not know yet */
    if (frame->stream != client->local || !may_send(client, frame))
        return false;
    if (client->session == EARLY_SESSION)
        return keep_early(client, frame);
    server->ops->send(frame, client->stream, server->user_data);
    return true;
}

bool berth_server_deliver(BerthServer *server, const WireFrame *frame)
{
    Client *client = g_hash_table_lookup(server->sessions, GUINT_TO_POINTER(frame->stream));
    if (client == NULL)
        return true; /* its client has gone */

    bool excess = frame->type == WIRE_DATA &&
                  !wire_credit_spend(&client->to_client[frame->channel], frame->size);
    if (frame->type == WIRE_CREDIT && frame->channel == WIRE_STDIN)
        note_credit(&client->to_guest, frame); /* the client hears of a lie, and says so */
    if (excess || berth_link_pending(client->link) > CLIENT_BACKLOG_MAX) {
        g_autoptr(GError) error = NULL;
        berth_error_set(&error, BERTH_ERROR_PROTOCOL, "session.flood", NULL,
                        "the guest sent more than it was allowed to");
        server->ops->hang_up(client->stream, server->user_data);
        end_session(client);
        answer_error(client, error);
        return true;
    }

    client->opened |= frame->type == WIRE_OPENED;
    if (frame->type == WIRE_EXIT || frame->type == WIRE_FAILED)
        end_session(client);
    berth_link_forward(client->link, frame, client->local);
    return true;
}

/* --- requests ------------------------------------------------------------------------------- */

static bool take_wait(Client *client, const WireFrame *frame)
{
    client->asked = ASKED_WAIT;
    if (client->server->up)
        answer_done(client);
    else
        tell_pause(client);
    return true;
}

static bool take_status(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    g_autoptr(BerthInstanceStatus) status = server->ops->status(server->user_data);
    status->sessions = berth_server_sessions(server);
    berth_control_put_status(berth_link_output(client->link), status);
    berth_link_flush(client->link);
    return true;
}

static bool take_ports(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    g_autoptr(GPtrArray) forwards = server->ops->ports(server->user_data);
    berth_control_put_ports(berth_link_output(client->link), forwards);
    berth_link_flush(client->link);
    return true;
}

static bool take_watch(Client *client, const WireFrame *frame)
{
    client->asked = ASKED_WATCH;
    return take_ports(client, frame);
}

static bool take_forward(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    bool wanted = wire_get_u8(&reader) != 0;
    const char *text = wire_get_string(&reader);
    if (!wire_reader_done(&reader))
        return false;
    g_autoptr(GError) error = NULL;
    BerthRule rule;
    bool ok = berth_rule_parse(text, &rule, &error) &&
              server->ops->set_rule(&rule, wanted, server->user_data, &error);
    return answer_result(client, ok, error);
}

static bool take_boot(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    berth_control_put_boot(berth_link_output(client->link), server->ops->boot(server->user_data));
    berth_link_flush(client->link);
    return true;
}

static bool take_stop(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint8 how = wire_get_u8(&reader);
    guint32 grace_sec = wire_get_u32(&reader);
    if (!wire_reader_done(&reader) || how > BERTH_STOP_FORCE)
        return false;
    client->asked = ASKED_STOP;
    if (how == BERTH_STOP_ORDERLY)
        tell_pause(client);
    server->ops->stop((BerthStopHow)how, grace_sec, server->user_data);
    return true;
}

static bool take_grow(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint64 size = wire_get_u64(&reader);
    if (!wire_reader_done(&reader))
        return false;
    if (server->growing) {
        g_autoptr(GError) error = NULL;
        berth_error_set(&error, BERTH_ERROR_BUSY, "resize.busy", NULL,
                        "the disk is already being made larger");
        return answer_result(client, false, error);
    }
    client->asked = ASKED_GROW;
    tell_pause(client);
    server->growing = true;
    server->ops->grow(size, server->user_data);
    return true;
}

static bool take_host_ports(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    const char *ports = wire_get_string(&reader);
    if (!wire_reader_done(&reader))
        return false;
    g_autoptr(GError) error = NULL;
    bool ok = server->ops->set_host_ports(ports, server->user_data, &error);
    return answer_result(client, ok, error);
}

static bool take_host_port(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint16 port = wire_get_u16(&reader);
    if (!wire_reader_done(&reader) || port == 0)
        return false;
    g_autoptr(GError) error = NULL;
    bool ok = server->ops->allow_host_port(port, server->user_data, &error);
    return answer_result(client, ok, error);
}

static const struct {
    ControlType type;
    bool has_fields; /* which take checks */
    bool (*take)(Client *client, const WireFrame *frame);
} requests[] = {
    {CONTROL_WAIT, false, take_wait},       {CONTROL_STATUS, false, take_status},
    {CONTROL_PORTS, false, take_ports},     {CONTROL_STOP, true, take_stop},
    {CONTROL_GROW, true, take_grow},        {CONTROL_BOOT, false, take_boot},
    {CONTROL_WATCH, false, take_watch},     {CONTROL_FORWARD, true, take_forward},
    {CONTROL_REACH, true, take_host_ports}, {CONTROL_REACH_ONE, true, take_host_port},
};

/* A client that asks and does not read the answers is refused, too. */
static bool take_request(Client *client, const WireFrame *frame)
{
    if (is_busy(client) || berth_link_pending(client->link) > CLIENT_BACKLOG_MAX)
        return false;
    for (gsize i = 0; i < G_N_ELEMENTS(requests); i++)
        if (requests[i].type == frame->type)
            return (requests[i].has_fields || frame->size == 0) && requests[i].take(client, frame);
    return false;
}

/* False refuses the client: its connection is closed, and its session hung up. */
static bool on_frame(BerthLink *link, const WireFrame *frame, gpointer user_data)
{
    return frame->stream != 0 ? take_session_frame(user_data, frame)
                              : take_request(user_data, frame);
}

static void on_closed(BerthLink *link, const GError *error, gpointer user_data)
{
    drop_client(user_data);
}

static void on_client(int client_fd, gpointer user_data)
{
    BerthServer *server = user_data;
    Client *client = g_new0(Client, 1);
    client->server = server;
    client->link = berth_link_new(client_fd, on_frame, on_closed, client);
    g_ptr_array_add(server->clients, client);
}

/* --- what the instance says ------------------------------------------------------------------ */

BerthServer *berth_server_new(int listen_fd, const BerthServerOps *ops, gpointer user_data)
{
    BerthServer *server = g_new0(BerthServer, 1);
    server->ops = ops;
    server->user_data = user_data;
    server->listen_fd = listen_fd;
    server->clients = g_ptr_array_new_with_free_func(client_free);
    server->sessions = g_hash_table_new(NULL, NULL);

    server->acceptor = berth_acceptor_new(listen_fd, on_client, server);
    return server;
}

void berth_server_free(BerthServer *server)
{
    if (server == NULL)
        return;
    berth_acceptor_free(server->acceptor);
    berth_fd_close(&server->listen_fd);
    g_hash_table_unref(server->sessions);
    g_ptr_array_unref(server->clients);
    g_free(server->paused);
    g_free(server);
}

static void answer_waiting(BerthServer *server)
{
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (client->asked == ASKED_WAIT && server->up)
            answer_done(client);
        else if (client->session == EARLY_SESSION && can_start(client))
            start_session(client);
    }
}

void berth_server_grown(BerthServer *server, const GError *error)
{
    server->growing = false;
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (client->asked == ASKED_GROW)
            answer_result(client, error == NULL, error);
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
        bool lost = client->asked == ASKED_GROW || client->session == GUEST_SESSION;
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
            answer_done(client);
        links[i] = client->link;
    }
    berth_link_drain_all(links, server->clients->len, FINISH_DRAIN_MSEC);
}

/* One that does not read does without. */
static bool takes_notices(const Client *client)
{
    return client->session == GUEST_SESSION && client->opened && client->tty && takes_lines(client);
}

void berth_server_notice(BerthServer *server, const char *line)
{
    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);
        if (takes_notices(client))
            put_line(client, CONTROL_NOTICE, line);
    }
}

/* Who has not read for so long that much waits for it is let go. */
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
    return g_hash_table_size(server->sessions);
}

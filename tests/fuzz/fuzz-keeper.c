/* SPDX-License-Identifier: MIT
 *
 * A hostile guest of the keeper: whatever it sends, the channel continues or ends with an error,
 * and both kinds of clients, one of them in a session, get a valid answer or none.
 */
#include "../lib/wire_input.h"
#include "base/error.h"
#include "base/fd.h"
#include "fuzz.h"
#include "guest/agent_client.h"
#include "instance/control/runtime_files.h"
#include "instance/keeper/server.h"
#include "instance/keeper/sockets.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The most that may be buffered for a client or a socket: a window for each output, and the
 * rest. */
#define TO_CLIENT_MAX (3U * WIRE_WINDOW + 2U * WIRE_PAYLOAD_MAX)

typedef struct {
    BerthAgentClient *agent;
    BerthStreams *streams;
    BerthServer *server;
    BerthSockets *sockets;
    bool lost;
} World;

static char *dir;
static BerthMachine *machine;
static int listener;

static void on_text(const char *text, gpointer data)
{
}
static void on_ready(const char *init, guint init_timeout_msec, gpointer data)
{
}
static void on_stage(const char *name, guint64 usec, const char *problem, gpointer data)
{
}

static void on_listeners(GPtrArray *listeners, gpointer data)
{
    g_assert_cmpuint(listeners->len, <=, WIRE_LISTENERS_MAX);
}

static bool on_session(const WireFrame *frame, gpointer data)
{
    World *world = data;
    berth_streams_deliver(world->streams, frame);
    return true;
}

static void on_lost(const GError *error, gpointer data)
{
    World *world = data;
    g_assert_false(world->lost);
    g_assert_true(error == NULL || *berth_error_id(error) != '\0');
    world->lost = true;
}

static const BerthAgentClientEvents agent_events = {
    .hello = on_text,
    .stage = on_stage,
    .ready = on_ready,
    .note = on_text,
    .booted = on_text,
    .listeners = on_listeners,
    .grown = on_text,
    .session = on_session,
    .lost = on_lost,
};

static void send_frame(const WireFrame *frame, guint32 stream, gpointer data)
{
    World *world = data;
    berth_agent_client_send(world->agent, frame, stream);
}

static void hang_up(guint32 stream, gpointer data)
{
    World *world = data;
    berth_agent_client_send_empty(world->agent, WIRE_CLOSE, stream);
}

static const BerthStreamsOps streams_ops = {send_frame, hang_up};
static const BerthServerOps server_ops = {0};

static void remove_dir(void)
{
    g_rmdir(dir);
}

static void set_up(void)
{
    struct sockaddr_un nobody = {.sun_family = AF_UNIX};
    dir = g_dir_make_tmp("berth-fuzz-XXXXXX", NULL);
    atexit(remove_dir);
    machine = berth_machine_from_text("[machine]\nhostname=box\n", NULL);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(listener, (struct sockaddr *)&nobody, sizeof(sa_family_t)), ==, 0);
    g_assert_cmpint(listen(listener, 8), ==, 0);
}

static void turn(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

static int connect_to(const struct sockaddr_un *address, socklen_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_assert_cmpint(connect(fd, (const struct sockaddr *)address, size), ==, 0);
    turn();
    return fd;
}

/* A client in a session, on stream 1. */
static int open_session(void)
{
    struct sockaddr_un address;
    socklen_t size = sizeof(address);
    g_assert_cmpint(getsockname(listener, (struct sockaddr *)&address, &size), ==, 0);
    int fd = connect_to(&address, size);
    WireBuffer open = {0};
    wire_frame_put(&open, WIRE_OPEN, 0, 1, NULL, 0);
    g_assert_cmpint(send(fd, wire_buffer_head(&open), wire_buffer_size(&open), 0), >, 0);
    wire_buffer_clear(&open);
    turn();
    return fd;
}

/* A program on the forwarded socket, on stream 2. */
static int open_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/" BERTH_RUNTIME_DOCKER, dir);
    return connect_to(&address, sizeof(address));
}

static void feed(int guest, const uint8_t *data, size_t size, World *world)
{
    WireBuffer buffer = {0};
    wire_input_put(&buffer, data, size);
    while (wire_buffer_size(&buffer) > 0 && !world->lost) {
        ssize_t sent = send(guest, wire_buffer_head(&buffer), wire_buffer_size(&buffer),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0)
            wire_buffer_consume(&buffer, (size_t)sent);
        turn();
    }
    wire_buffer_clear(&buffer);
}

/* Read all that was buffered for this client, which never read, and check the bound. */
static void drain(int client)
{
    static char bytes[65536];
    gsize total = 0;
    for (ssize_t size; (size = recv(client, bytes, sizeof(bytes), 0)) > 0; turn())
        total += (gsize)size;
    g_assert_cmpuint(total, <=, TO_CLIENT_MAX);
    close(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (dir == NULL)
        set_up();
    World world = {0};
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
    world.streams = berth_streams_new(&streams_ops, &world);
    world.server = berth_server_new(dup(listener), world.streams, &server_ops, &world);
    world.sockets = berth_sockets_new(dir, world.streams, on_text, &world, NULL);
    world.agent = berth_agent_client_new(pair[0], machine, false, &agent_events, &world);
    berth_server_set_up(world.server, true);
    berth_sockets_set_up(world.sockets, true);
    int session = open_session();
    int program = open_socket();

    feed(pair[1], data, size, &world);
    drain(session);
    drain(program);
    turn();
    berth_server_free(world.server);
    berth_sockets_free(world.sockets);
    berth_streams_free(world.streams);
    berth_agent_client_free(world.agent);
    close(pair[1]);
    return 0;
}

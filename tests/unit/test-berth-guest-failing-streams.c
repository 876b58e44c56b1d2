/* SPDX-License-Identifier: MIT
 *
 * The agent's streams without memory, descriptors or epoll watches: each ends with an answer, none
 * waits for ever, and nothing leaks. See tests/lib/failing.h.
 */
#include "../lib/failing.h"
#include "agent/session.h"
#include "agent/unix_relay.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define STREAM 1

/* The host's side: what it sends, and what the agent has queued for it. */
typedef struct {
    Loop loop;
    WireBuffer in, out;
} Agent;

static bool agent_init(Agent *agent)
{
    *agent = (Agent){0};
    return loop_init(&agent->loop) == 0;
}

static void agent_clear(Agent *agent)
{
    wire_buffer_clear(&agent->in);
    wire_buffer_clear(&agent->out);
    close(agent->loop.epoll);
}

/* The first frame of @type for the host. A lost frame counts: the agent disconnects then. */
static bool has_frame(const Agent *agent, WireType type, WireFrame *ret_frame)
{
    WireBuffer rest = agent->out; /* shares the memory */
    while (wire_frame_peek(&rest, ret_frame) > 0) {
        if (ret_frame->type == type)
            return true;
        wire_buffer_consume(&rest, WIRE_HEADER_SIZE + ret_frame->size);
    }
    return agent->out.failed;
}

static bool is_answered(const Agent *agent)
{
    WireFrame frame;
    return has_frame(agent, WIRE_EXIT, &frame) || has_frame(agent, WIRE_FAILED, &frame);
}

/* ---- relays ---- */

typedef struct {
    char *path;
    int listener;
} Service;

static bool relay_frame(Agent *agent, Relays *relays, WireType type, const char *text)
{
    WireFrame frame;
    size_t begin = wire_frame_begin(&agent->in, type, WIRE_STDIN, STREAM);
    if (text != NULL)
        wire_put_string(&agent->in, text);
    wire_frame_end(&agent->in, begin);
    bool whole = wire_frame_peek(&agent->in, &frame) > 0;
    if (whole)
        relays_frame(relays, &frame);
    wire_buffer_clear(&agent->in);
    return whole;
}

/* The service says a word and closes; then the client closes. */
static void serve(Agent *agent, Relays *relays, const Service *service)
{
    WireFrame data;
    int peer = accept(service->listener, NULL, NULL);
    g_assert_cmpint(write(peer, "word", 4), ==, 4);
    close(peer);
    while (!has_frame(agent, WIRE_EOF, &data) && !is_answered(agent))
        g_assert_cmpint(loop_turn(&agent->loop), ==, 0);
    if (!agent->out.failed) {
        g_assert_true(has_frame(agent, WIRE_DATA, &data));
        g_assert_cmpmem(data.payload, data.size, "word", 4);
    }
}

/* A connection whose relay failed would be the next run's. */
static void drop_connections(const Service *service)
{
    int fd;
    while ((fd = accept(service->listener, NULL, NULL)) >= 0)
        close(fd);
}

static void run_relay(gpointer data)
{
    const Service *service = data;
    Agent agent;
    if (!agent_init(&agent))
        return;
    Relays relays = {.loop = &agent.loop, .out = &agent.out};
    bool asked = relay_frame(&agent, &relays, WIRE_CONNECT, service->path);
    if (relays.count > 0)
        serve(&agent, &relays, service);
    else
        g_assert_true(!asked || is_answered(&agent));
    relay_frame(&agent, &relays, WIRE_CLOSE, NULL);
    relays_clear(&relays);
    drop_connections(service);
    agent_clear(&agent);
}

static void test_relay(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_autofree char *dir = g_dir_make_tmp("berth-relay-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "socket", NULL);
    Service service = {path, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(service.listener, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(service.listener, 16), ==, 0);
    g_assert_cmpuint(failing_each_once(run_relay, &service), >=, 6);
    close(service.listener);
    g_unlink(path);
    g_rmdir(dir);
}

/* ---- sessions ---- */

typedef struct {
    Agent agent;
    SessionHost host;
    Session *session;
    Source child; /* pidfd of the command */
} Command;

static void on_child(Source *source, uint32_t events)
{
    Command *command = container_of(source, Command, child);
    int status;
    g_assert_cmpint(waitpid(session_pid(command->session), &status, 0), >, 0);
    session_exited(command->session, status);
    loop_close(&command->agent.loop, source);
}

/* `echo word`, in /. */
static void put_open(WireBuffer *buffer)
{
    static const char *const argv[] = {"echo", "word", NULL};
    static const char *const none[] = {NULL};
    size_t begin = wire_frame_begin(buffer, WIRE_OPEN, 0, STREAM);
    wire_put_u32(buffer, 0);
    wire_put_string(buffer, "");
    wire_put_string(buffer, "/");
    wire_put_u16(buffer, 24);
    wire_put_u16(buffer, 80);
    wire_put_list(buffer, argv);
    wire_put_list(buffer, none);
    wire_put_list(buffer, none);
    wire_frame_end(buffer, begin);
}

static void finish_session(Command *command)
{
    WireFrame frame;
    int pidfd = (int)syscall(SYS_pidfd_open, session_pid(command->session), 0);
    g_assert_cmpint(pidfd, >=, 0);
    loop_add(&command->agent.loop, &command->child, pidfd, EPOLLIN, on_child);
    while (!session_is_gone(command->session) || session_pid(command->session) != 0)
        g_assert_cmpint(loop_turn(&command->agent.loop), ==, 0);
    g_assert_true(is_answered(&command->agent));
    if (has_frame(&command->agent, WIRE_EXIT, &frame) && !command->agent.out.failed) {
        g_assert_cmpmem(frame.payload, frame.size, "\0\0", 2);
        g_assert_true(has_frame(&command->agent, WIRE_DATA, &frame));
        g_assert_cmpmem(frame.payload, frame.size, "word\n", 5);
    }
    session_free(command->session);
}

static void run_session(gpointer data)
{
    Command command = {.host = {.user = "", .umask = 022, .files = {1024, 1024}}};
    WireFrame frame;
    if (!agent_init(&command.agent))
        return;
    command.host.loop = &command.agent.loop;
    command.host.out = &command.agent.out;
    put_open(&command.agent.in);
    if (wire_frame_peek(&command.agent.in, &frame) > 0) {
        command.session = session_open(&command.host, &frame);
        if (command.session != NULL)
            finish_session(&command);
        else
            g_assert_true(is_answered(&command.agent));
    }
    agent_clear(&command.agent);
}

static void test_session(void)
{
    g_assert_cmpuint(failing_each_once(run_session, NULL), >=, 12);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth-guest/failing/relay", test_relay);
    g_test_add_func("/berth-guest/failing/session", test_session);
    return g_test_run();
}

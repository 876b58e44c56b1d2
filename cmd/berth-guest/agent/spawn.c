/* SPDX-License-Identifier: MIT */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

/* The descriptors of both sides while both are open; -1: none. */
typedef struct {
    Spawned agent;
    ChildEnds child;
} Ends;

static void close_one(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void close_child(const ChildEnds *ends)
{
    for (int i = 0; i < SPAWN_STREAMS; i++)
        if (ends->standard[i] != ends->terminal)
            close_one(ends->standard[i]);
    close_one(ends->terminal);
    close_one(ends->status);
    close_one(ends->barrier);
}

static void close_agent(const Spawned *spawned)
{
    close_one(spawned->input);
    for (int i = 0; i < SPAWN_STREAMS; i++)
        close_one(spawned->outputs[i]);
    close_one(spawned->status);
    close_one(spawned->barrier);
}

/* Make a pipe whose agent's end is the write end (@agent_writes) or the read end. */
static int make_pipe(int flags, bool agent_writes, int *ret_agent, int *ret_child)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC | flags) < 0)
        return -errno;
    *ret_agent = pair[agent_writes ? 1 : 0];
    *ret_child = pair[agent_writes ? 0 : 1];
    return fcntl(*ret_agent, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static bool is_pipe(const SpawnRequest *request, int stream)
{
    return !request->tty || request->pipes[stream];
}

static int make_pipes(const SpawnRequest *request, Ends *ends)
{
    for (int i = 0; i < SPAWN_STREAMS; i++) {
        int *agent = i == 0 ? &ends->agent.input : &ends->agent.outputs[i];
        int result =
            is_pipe(request, i) ? make_pipe(0, i == 0, agent, &ends->child.standard[i]) : 0;
        if (result < 0)
            return result;
    }
    return 0;
}

static void set_modes(int terminal, bool cooked)
{
    struct termios modes;
    if (tcgetattr(terminal, &modes) < 0)
        return;
    modes.c_iflag |= IUTF8; /* erase whole UTF-8 characters */
    if (cooked) {
        modes.c_lflag &= ~(tcflag_t)ECHO;
        modes.c_oflag &= ~(tcflag_t)ONLCR;
    }
    tcsetattr(terminal, TCSANOW, &modes);
}

/* The stream whose channel carries the terminal's output: see lib/wire/wire.h. */
static int terminal_stream(const SpawnRequest *request)
{
    static const int order[SPAWN_STREAMS] = {STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO};
    for (int i = 0; i < SPAWN_STREAMS; i++)
        if (!is_pipe(request, order[i]))
            return order[i];
    return -1;
}

/* Duplicate the master, so that input and output each have an event source. */
static int make_terminal(const SpawnRequest *request, Ends *ends)
{
    int unlock = 0;
    const struct winsize size = {.ws_row = request->rows, .ws_col = request->columns};
    ends->agent.terminal = terminal_stream(request);
    if (ends->agent.terminal < 0)
        return 0;

    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0)
        return -errno;
    ends->agent.outputs[ends->agent.terminal] = master;
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCSWINSZ, &size) < 0)
        return -errno;
    ends->child.terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ends->child.terminal < 0)
        return -errno;

    set_modes(ends->child.terminal, request->cooked);
    for (int i = 0; i < SPAWN_STREAMS; i++)
        if (!is_pipe(request, i))
            ends->child.standard[i] = ends->child.terminal;
    if (is_pipe(request, STDIN_FILENO))
        return 0;
    ends->agent.input = fcntl(master, F_DUPFD_CLOEXEC, 3);
    return ends->agent.input < 0 ? -errno : 0;
}

/* CLONE_INTO_CGROUP costs nothing; moving a process later takes an RCU grace period, longer than
 * the whole rest of a start. */
static pid_t fork_into(int cgroup)
{
    struct clone_args arguments = {
        .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (unsigned)cgroup};
    pid_t pid = cgroup >= 0 ? (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments)) : -1;
    return pid >= 0 ? pid : fork();
}

static int start(const SpawnRequest *request, Ends *ends)
{
    int result = make_terminal(request, ends);
    if (result == 0)
        result = make_pipes(request, ends);
    if (result == 0)
        result = make_pipe(O_DIRECT, false, &ends->agent.status, &ends->child.status);
    if (result == 0 && request->wait)
        result = make_pipe(0, true, &ends->agent.barrier, &ends->child.barrier);
    if (result < 0)
        return result;

    ends->agent.pid = fork_into(request->session.cgroup);
    if (ends->agent.pid == 0)
        child_run(request, &ends->child);
    return ends->agent.pid < 0 ? -errno : 0;
}

int spawn(const SpawnRequest *request, Spawned *ret_spawned)
{
    Ends ends = {
        .agent =
            {.input = -1, .outputs = {-1, -1, -1}, .terminal = -1, .status = -1, .barrier = -1},
        .child = {.standard = {-1, -1, -1}, .terminal = -1, .status = -1, .barrier = -1},
    };
    int result = start(request, &ends);
    close_child(&ends.child);
    if (result < 0)
        close_agent(&ends.agent);
    else
        *ret_spawned = ends.agent;
    return result;
}

void spawn_admit(int barrier, const Login *session)
{
    ssize_t written = write(barrier, &session->holder, sizeof(session->holder));
    (void)written; /* fails when the child has died: on_children reaps it */
}

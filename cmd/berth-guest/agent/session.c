/* SPDX-License-Identifier: MIT */
#include "session_private.h"

#include "distro/oobe.h"
#include "os/rescue_shell.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

void session_put(Session *session, WireType type, WireChannel channel, const void *payload,
                 size_t size)
{
    if (!session->abandoned)
        wire_frame_put(session->host->out, type, (uint8_t)channel, session->stream, payload, size);
}

static void put_failed(WireBuffer *out, uint32_t stream, uint8_t status, const char *message)
{
    size_t begin = wire_frame_begin(out, WIRE_FAILED, 0, stream);
    wire_put_u8(out, status);
    wire_put_text(out, message, SPAWN_STATUS_MAX);
    wire_frame_end(out, begin);
}

static void put_opened(Session *session)
{
    if (session->abandoned)
        return;
    size_t begin = wire_frame_begin(session->host->out, WIRE_OPENED, 0, session->stream);
    wire_put_u32(session->host->out, (uint32_t)session->pid);
    wire_put_string(session->host->out, session->warning);
    wire_frame_end(session->host->out, begin);
}

static void put_answer(Session *session, uint32_t number)
{
    if (session->abandoned || !session->answers)
        return;
    size_t begin = wire_frame_begin(session->host->out, WIRE_SIGNAL, 0, session->stream);
    wire_put_u32(session->host->out, number);
    wire_frame_end(session->host->out, begin);
}

static void put_exit(Session *session)
{
    int status = session->wait_status;
    uint64_t consumed;
    if (session->answers && !session->abandoned && input_consumed(&session->input, &consumed)) {
        size_t begin = wire_frame_begin(session->host->out, WIRE_TAKEN, 0, session->stream);
        wire_put_u64(session->host->out, consumed);
        wire_frame_end(session->host->out, begin);
    }
    bool signaled = WIFSIGNALED(status);
    uint8_t payload[2] = {signaled ? WIRE_SIGNALED : WIRE_EXITED,
                          (uint8_t)(signaled ? WTERMSIG(status) : WEXITSTATUS(status))};
    session_put(session, WIRE_EXIT, WIRE_STDIN, payload, sizeof(payload));
}

/* ---- states ---- */

/* The terminal's descriptor, or -1. */
static int terminal_of(const Session *session)
{
    if (session->terminal < 0 || !source_is_open(&session->outputs[session->terminal].source))
        return -1;
    return session->outputs[session->terminal].source.fd;
}

static void finish(Session *session)
{
    session->finished = true;
    input_free(&session->input);
    loop_close(session->host->loop, &session->status);
}

void session_advance(Session *session)
{
    if (!session->running || !session->reaped || session->finished)
        return;
    for (int i = 0; i < WIRE_CHANNELS; i++)
        output_measure_tail(&session->outputs[i]);
    for (int i = 0; i < WIRE_CHANNELS; i++)
        if (!session->outputs[i].ended)
            return;
    put_exit(session);
    finish(session);
}

static void signal_group(Session *session, int number);

static void start_running(Session *session)
{
    loop_close(session->host->loop, &session->status);
    session->running = true;
    put_opened(session);
    put_answer(session, 0);
    for (int number = 1; session->pending_signals != 0; number++, session->pending_signals >>= 1) {
        if ((session->pending_signals & 1) != 0)
            signal_group(session, number);
    }
    for (int i = 0; i < WIRE_CHANNELS; i++)
        output_watch(&session->outputs[i]);
    input_flush(&session->input);
    session_advance(session);
}

static void fail(Session *session, uint8_t status, const char *message)
{
    if (!session->abandoned)
        put_failed(session->host->out, session->stream, status, message);
    for (int i = 0; i < WIRE_CHANNELS; i++) {
        session->outputs[i].ended = true;
        output_close(&session->outputs[i]);
    }
    finish(session);
}

/* Status pipe: a packet is a warning or the failure of the child; EOF means the command runs. */
static void on_status(Source *source, uint32_t events)
{
    Session *session = container_of(source, Session, status);
    char report[SPAWN_STATUS_MAX + 1];
    ssize_t size = read(source->fd, report, SPAWN_STATUS_MAX);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        start_running(session);
        return;
    }
    report[size] = '\0';
    if (report[0] != 0)
        fail(session, (uint8_t)report[0], report + 1);
    else if (session->warning == NULL)
        session->warning = strdup(report + 1);
}

/* Take ownership of the descriptors of @spawned. */
static void attach(Session *session, const Spawned *spawned)
{
    session->pid = spawned->pid;
    session->barrier = spawned->barrier;
    session->terminal = spawned->terminal;
    loop_add(session->host->loop, &session->status, spawned->status, EPOLLIN, on_status);
    for (int i = 0; i < WIRE_CHANNELS; i++)
        output_init(&session->outputs[i], session, (WireChannel)i, spawned->outputs[i],
                    i == spawned->terminal);
}

/* Nothing can fail after the fork, so that each process and its descriptors have a session. */
static Session *start_command(SessionHost *host, uint32_t stream, const SpawnRequest *request)
{
    Spawned spawned;
    char message[128];
    Session *session = calloc(1, sizeof(*session));
    int result = session != NULL ? spawn(request, &spawned) : -ENOMEM;
    if (result < 0) {
        snprintf(message, sizeof(message), "cannot start a process: %s", strerror(-result));
        put_failed(host->out, stream, 125, message);
        free(session);
        return NULL;
    }
    session->host = host;
    session->stream = stream;
    attach(session, &spawned);
    session->uid = request->user->uid;
    bool keys = request->tty && !request->pipes[WIRE_STDIN];
    input_init(&session->input, session, spawned.input, keys);
    return session;
}

/* In a rescue the distro's shell may not work: use the host's if it brought one. */
static void use_rescue_shell(User *user)
{
    char *shell = access(RESCUE_SHELL, X_OK) == 0 ? strdup(RESCUE_SHELL) : NULL;
    if (shell == NULL)
        return;
    free(user->shell);
    user->shell = shell;
}

static bool is_first_run(const SpawnRequest *request, bool bare)
{
    bool interactive = request->tty && (request->argv == NULL || request->argv[0] == NULL);
    return interactive && !bare && oobe_is_wanted();
}

/* To the default user of now; whoever this session is for, an ssh server's user may be that one. */
static void give_ssh_agent(const SessionHost *host)
{
    User user;
    char message[160];
    const DefaultUsers defaults = {"", host->user};
    if (host->ssh_agent == NULL || !user_choose("", &defaults, &user, message, sizeof(message)))
        return;
    ssh_agent_give(host->ssh_agent, user.uid, user.gid);
    ssh_agent_give(host->gpg_agent, user.uid, user.gid);
    user_clear(&user);
}

/* Choose the user and, by that, login session, first-run command and shell, then start. */
static Session *open_request(SessionHost *host, const WireFrame *frame, SpawnRequest *request,
                             const char *asked, bool bare)
{
    User user;
    char message[160];
    const DefaultUsers defaults = {"", host->user};
    if (!user_choose(asked, &defaults, &user, message, sizeof(message))) {
        put_failed(host->out, frame->stream, 125, message);
        return NULL;
    }
    if (bare)
        use_rescue_shell(&user);
    request->user = &user;
    request->by_default = asked[0] == '\0';
    give_ssh_agent(host);
    request->first_run = is_first_run(request, bare);
    if (!bare)
        request->session.cgroup = host->group;
    if (host->logins != NULL && !bare && !request->first_run)
        request->wait = !logins_get(host->logins, user.uid, &request->session);
    Session *session = start_command(host, frame->stream, request);
    if (session != NULL && message[0] != '\0' &&
        asprintf(&session->warning, "%s; it runs as \"%s\"", message, user.name) < 0)
        session->warning = NULL;
    request->user = NULL;
    user_clear(&user);
    return session;
}

static void read_flags(SpawnRequest *request, uint32_t flags)
{
    request->tty = (flags & WIRE_OPEN_TTY) != 0;
    request->login = (flags & WIRE_OPEN_LOGIN) != 0;
    request->shell = (flags & WIRE_OPEN_SHELL) != 0;
    request->cooked = (flags & WIRE_OPEN_COOKED) != 0;
    request->pipes[WIRE_STDIN] = (flags & WIRE_OPEN_PIPE_STDIN) != 0;
    request->pipes[WIRE_STDOUT] = (flags & WIRE_OPEN_PIPE_STDOUT) != 0;
    request->pipes[WIRE_STDERR] = (flags & WIRE_OPEN_PIPE_STDERR) != 0;
}

Session *session_open(SessionHost *host, const WireFrame *frame)
{
    WireReader reader;
    SpawnRequest request = {.umask = host->umask, .files = host->files, .session = LOGIN_NONE};
    wire_reader_init(&reader, frame);
    uint32_t flags = wire_get_u32(&reader);
    read_flags(&request, flags);
    const char *user = wire_get_string(&reader);
    request.cwd = wire_get_string(&reader);
    request.rows = wire_get_u16(&reader);
    request.columns = wire_get_u16(&reader);
    char **lists[3];
    for (size_t i = 0; i < 3; i++)
        lists[i] = wire_get_list(&reader);
    request.argv = lists[0];
    request.environment = lists[1];
    request.offered = lists[2];

    Session *session = NULL;
    if (wire_reader_done(&reader))
        session = open_request(host, frame, &request, user, (flags & WIRE_OPEN_BARE) != 0);
    else
        session_refuse(host, frame->stream, SESSION_MALFORMED);
    if (session != NULL)
        session->answers = (flags & WIRE_OPEN_ANSWERS) != 0;
    for (size_t i = 0; i < 3; i++)
        free(lists[i]);
    return session;
}

void session_refuse(SessionHost *host, uint32_t stream, const char *message)
{
    put_failed(host->out, stream, 125, message);
}

void session_login(Session *session, uid_t uid, const Login *login)
{
    if (session->barrier < 0 || session->uid != uid)
        return;
    spawn_admit(session->barrier, login);
    close(session->barrier);
    session->barrier = -1;
}

/* ---- frames ---- */

static void signal_group(Session *session, int number)
{
    if (session->reaped)
        return; /* the pid may have been reused */
    if (!session->running) {
        session->pending_signals |= 1ull << (number - 1); /* the child still ignores it */
        return;
    }
    pid_t foreground = terminal_of(session) >= 0 ? tcgetpgrp(terminal_of(session)) : -1;
    kill(-(foreground > 0 ? foreground : session->pid), number);
}

static bool on_data(Session *session, const WireFrame *frame, WireReader *reader)
{
    Input *input = &session->input;
    if (frame->channel != WIRE_STDIN || input->eof ||
        !wire_credit_spend(&input->credit, frame->size))
        return false;

    reader->next = reader->end;
    input->received += frame->size;
    wire_buffer_append(&input->queue, frame->payload, frame->size);
    if (!source_is_open(&input->source))
        input_drop(input);
    else if (session->running)
        input_flush(input);
    return !input->queue.failed;
}

/* The client closed an output: close the pipe, or hang up the terminal. */
static void refuse_output(Session *session, Output *output)
{
    if (output->terminal && !output->ended)
        session_hang_up(session);
    output_close(output);
    session_advance(session);
}

static bool on_eof(Session *session, const WireFrame *frame, WireReader *reader)
{
    if (frame->channel != WIRE_STDIN) {
        refuse_output(session, &session->outputs[frame->channel]);
        return true;
    }
    if (session->input.eof)
        return false;
    session->input.eof = true;
    if (session->running && source_is_open(&session->input.source))
        input_flush(&session->input);
    return true;
}

static bool on_credit(Session *session, const WireFrame *frame, WireReader *reader)
{
    uint32_t size = wire_get_u32(reader);
    if (reader->failed)
        return false;
    Output *output = &session->outputs[frame->channel];
    if (!wire_credit_grant(&output->credit, size))
        return false;
    output_continue(output);
    session_advance(session);
    return true;
}

static bool on_signal(Session *session, const WireFrame *frame, WireReader *reader)
{
    uint32_t number = wire_get_u32(reader);
    if (reader->failed || number < 1 || number > (uint32_t)SIGRTMAX)
        return false;
    signal_group(session, (int)number);
    put_answer(session, number);
    return true;
}

static bool on_resize(Session *session, const WireFrame *frame, WireReader *reader)
{
    struct winsize size = {.ws_row = wire_get_u16(reader), .ws_col = wire_get_u16(reader)};
    if (!reader->failed && terminal_of(session) >= 0)
        ioctl(terminal_of(session), TIOCSWINSZ, &size);
    return true;
}

static bool on_close(Session *session, const WireFrame *frame, WireReader *reader)
{
    session_hang_up(session);
    return true;
}

typedef bool (*FrameFunction)(Session *session, const WireFrame *frame, WireReader *reader);
static const struct {
    WireType type;
    FrameFunction function;
} frame_functions[] = {
    {WIRE_DATA, on_data},     {WIRE_EOF, on_eof},       {WIRE_CREDIT, on_credit},
    {WIRE_SIGNAL, on_signal}, {WIRE_RESIZE, on_resize}, {WIRE_CLOSE, on_close},
};

void session_frame(Session *session, const WireFrame *frame)
{
    for (size_t i = 0; i < sizeof(frame_functions) / sizeof(frame_functions[0]); i++) {
        if (frame_functions[i].type != frame->type)
            continue;
        WireReader reader;
        wire_reader_init(&reader, frame);
        if (!frame_functions[i].function(session, frame, &reader) || !wire_reader_done(&reader))
            session_kill(session);
        return;
    }
}

void session_exited(Session *session, int wait_status)
{
    session->reaped = true;
    session->wait_status = wait_status;
    session_advance(session);
}

void session_resume(Session *session)
{
    for (int i = 0; i < WIRE_CHANNELS; i++)
        output_continue(&session->outputs[i]);
    session_advance(session);
}

void session_hang_up(Session *session)
{
    signal_group(session, SIGHUP);
    signal_group(session, SIGCONT); /* a stopped process would not handle SIGHUP */
    input_close(&session->input);
    for (int i = 0; i < WIRE_CHANNELS; i++)
        output_close(&session->outputs[i]);
    session_advance(session);
}

void session_abandon(Session *session)
{
    session->abandoned = true;
    session_hang_up(session);
}

void session_kill(Session *session)
{
    /* before its setsid the child has no process group of its own */
    if (!session->reaped && kill(-session->pid, SIGKILL) < 0)
        kill(session->pid, SIGKILL);
}

uint32_t session_stream(const Session *session)
{
    return session->stream;
}

pid_t session_pid(const Session *session)
{
    return session->reaped ? 0 : session->pid;
}

bool session_is_open(const Session *session)
{
    return !session->finished && !session->abandoned;
}

bool session_is_gone(const Session *session)
{
    for (int i = 0; i < WIRE_CHANNELS; i++)
        if (source_is_open(&session->outputs[i].source))
            return false;
    return session->finished;
}

void session_free(Session *session)
{
    Loop *loop = session->host->loop;
    if (session->barrier >= 0)
        close(session->barrier);
    loop_close(loop, &session->status);
    input_free(&session->input);
    for (int i = 0; i < WIRE_CHANNELS; i++)
        loop_close(loop, &session->outputs[i].source);
    free(session->warning);
    free(session);
}

/* SPDX-License-Identifier: MIT */
#include "session_client.h"

#include "base/error.h"
#include "base/fd.h"
#include "channel.h"
#include "guest_output.h"
#include "instance/control/control.h"
#include "read_ahead.h"
#include "session_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* For the guest to acknowledge a signal, whatever the command does with it. */
#define ANSWER_USEC (10 * G_USEC_PER_SEC)

typedef struct {
    const BerthCommand *command;
    BerthChannel channel;
    int input; /* -1 once it has ended */
    bool input_is_terminal;
    bool background;      /* last known: we are in the terminal's background */
    WireCredit credit;    /* what we may still send */
    BerthReadAhead ahead; /* what we have sent, and the command has taken */
    BerthGuestOutput outputs[WIRE_CHANNELS];
    bool opened;          /* the command has begun; no input is read before */
    bool split;           /* OPEN took several frames */
    int signals;          /* a signalfd, or -1 */
    bool answers;         /* the guest acknowledges signals */
    int unanswered;       /* a fatal signal not acknowledged yet, or 0 */
    gint64 deadline_usec; /* for that (monotonic) */
    int status;           /* of the command, or -1 while it runs */
} Session;

static void session_clear(Session *session)
{
    berth_channel_clear(&session->channel);
    berth_fd_close(&session->signals);
    for (guint i = 0; i < WIRE_CHANNELS; i++)
        berth_guest_output_clear(&session->outputs[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Session, session_clear)

/* --- from our descriptors to the guest -------------------------------------------------------- */

static void end_input(Session *session)
{
    session->input = -1;
    wire_frame_put(&session->channel.output, WIRE_EOF, WIRE_STDIN, BERTH_SESSION_STREAM, NULL, 0);
}

static void read_input(Session *session)
{
    char bytes[WIRE_DATA_MAX];
    ssize_t size = read(session->input, bytes, MIN(sizeof(bytes), session->credit.available));
    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (size <= 0) {
        end_input(session);
        return;
    }
    session->ahead.read += (guint64)size;
    wire_credit_spend(&session->credit, (guint32)size);
    wire_frame_put(&session->channel.output, WIRE_DATA, WIRE_STDIN, BERTH_SESSION_STREAM, bytes,
                   (gsize)size);
}

static void put_resize(Session *session)
{
    const BerthCommand *command = session->command;
    guint rows = 0, columns = 0;
    if (command->get_size == NULL)
        return;
    command->get_size(&rows, &columns, command->user_data);
    WireBuffer *output = &session->channel.output;
    size_t begin = wire_frame_begin(output, WIRE_RESIZE, 0, BERTH_SESSION_STREAM);
    wire_put_u16(output, (guint16)rows);
    wire_put_u16(output, (guint16)columns);
    wire_frame_end(output, begin);
}

/* After a stop or from the background: another process had the terminal and got its SIGWINCH. */
static void resume(Session *session)
{
    const BerthCommand *command = session->command;
    if (command->resumed != NULL)
        command->resumed(command->user_data);
    if (command->tty)
        put_resize(session);
}

static bool is_fatal(guint32 number)
{
    return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

/* False when a fatal signal cannot be delivered to the guest. */
static bool pass_signal(Session *session, int number)
{
    if (session->status >= 0)
        return !is_fatal((guint32)number);
    WireBuffer *output = &session->channel.output;
    size_t begin = wire_frame_begin(output, WIRE_SIGNAL, 0, BERTH_SESSION_STREAM);
    wire_put_u32(output, (guint32)number);
    wire_frame_end(output, begin);
    if (session->answers && session->unanswered == 0 && is_fatal((guint32)number)) {
        session->unanswered = number;
        session->deadline_usec = g_get_monotonic_time() + ANSWER_USEC;
    }
    return true;
}

static bool set_interrupted(const Session *session, int number, GError **error)
{
    const BerthCommand *command = session->command;
    if (session->status >= 0)
        berth_error_set(error, BERTH_ERROR_CANCELLED, "session.interrupted", NULL,
                        "interrupted before all of the command's output was read");
    else
        berth_error_set(error, BERTH_ERROR_GUEST, "session.unanswered",
                        "\"berth list\" shows its state, \"berth terminate --force\" ends it",
                        "the distro does not answer");
    if (command->interrupted != NULL)
        command->interrupted(number, command->user_data);
    return false;
}

static bool read_signals(Session *session, GError **error)
{
    struct signalfd_siginfo info;
    if (read(session->signals, &info, sizeof(info)) != sizeof(info))
        return true;
    if (info.ssi_signo == SIGWINCH)
        put_resize(session);
    else if (info.ssi_signo == SIGCONT)
        session->background = true; /* or was: whether it is now is seen before the next wait */
    else if (!pass_signal(session, (int)info.ssi_signo))
        return set_interrupted(session, (int)info.ssi_signo, error);
    return true;
}

/* --- from the guest to our descriptors -------------------------------------------------------- */

static bool handle_opened(Session *session, WireReader *reader)
{
    const BerthCommand *command = session->command;
    wire_get_u32(reader); /* its process */
    const char *warning = wire_get_string(reader);
    if (!wire_reader_done(reader))
        return false;
    session->opened = true;
    if (command->begun != NULL) {
        session->signals = command->begun(command->user_data);
        if (command->tty)
            put_resize(session); /* the size may have changed meanwhile */
    }
    if (*warning != '\0' && command->warn != NULL)
        command->warn(warning, command->user_data);
    return true;
}

/* The guest acknowledges each signal with its number, and sends 0 once at the beginning. */
static bool handle_answer(Session *session, WireReader *reader)
{
    guint32 number = wire_get_u32(reader);
    session->answers = true;
    if (number == (guint32)session->unanswered)
        session->unanswered = 0;
    return wire_reader_done(reader);
}

static bool handle_notice(WireReader *reader, void (*notify)(const char *line, gpointer user_data),
                          const BerthCommand *command)
{
    const char *line = wire_get_string(reader);
    if (!wire_reader_done(reader))
        return false;
    if (notify != NULL)
        notify(line, command->user_data);
    return true;
}

/* An agent of a former version does not know an OPEN of several frames. Otherwise, mostly, there is
 * no such user. */
static const char *refusal_hint(const Session *session)
{
    return session->split ? "it may run an agent from before berth was upgraded: restart it with "
                            "\"berth terminate\", then try again"
           : session->command->user != NULL
               ? "\"berth run -u root -- cat /etc/passwd\" lists the distro's users"
               : NULL;
}

/* The hint when the user's shell could not be found. */
static const char *shell_hint(const BerthCommand *command)
{
    bool shell = command->shell || command->argv == NULL || command->argv[0] == NULL;
    return shell ? "this is the login shell of the user's account: run another program, as in "
                   "\"berth run -u root /bin/sh\", or \"berth console\""
                 : NULL;
}

static bool handle_failed(Session *session, WireReader *reader, GError **error)
{
    guint8 status = wire_get_u8(reader);
    const char *message = wire_get_string(reader);
    if (!wire_reader_done(reader))
        return false;

    if (status == WIRE_FAILED_TOO_LONG) {
        session->status = 126; /* as a shell has it */
        berth_session_open_set_too_long(error, message);
        return true;
    }
    bool command = status == 126 || status == 127;
    berth_error_set(error, BERTH_ERROR_GUEST,
                    status == 127   ? "session.command-not-found"
                    : status == 126 ? "session.command-not-executable"
                                    : "session.refused",
                    !command        ? refusal_hint(session)
                    : status == 127 ? shell_hint(session->command)
                                    : NULL,
                    "%s", message);
    session->status = command ? status : 125;
    return true;
}

static bool handle_exit(Session *session, WireReader *reader)
{
    guint8 kind = wire_get_u8(reader);
    guint8 code = wire_get_u8(reader);
    session->status = kind == WIRE_SIGNALED ? 128 + code : code;
    return wire_reader_done(reader);
}

static bool handle_frame(Session *session, const WireFrame *frame, GError **error)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    switch ((guint)frame->type) {
    case WIRE_DATA:
        return berth_guest_output_append(&session->outputs[frame->channel], frame,
                                         &session->channel.output);
    case WIRE_OPENED:
        return handle_opened(session, &reader);
    case WIRE_EXIT:
        return handle_exit(session, &reader);
    case WIRE_FAILED:
        return handle_failed(session, &reader, error);
    case WIRE_CREDIT: {
        guint32 bytes = wire_get_u32(&reader);
        return wire_reader_done(&reader) && wire_credit_grant(&session->credit, bytes);
    }
    case WIRE_TAKEN:
        session->ahead.taken = wire_get_u64(&reader);
        session->ahead.known = wire_reader_done(&reader);
        return session->ahead.known;
    case WIRE_SIGNAL:
        return handle_answer(session, &reader);
    case CONTROL_NOTICE:
        return handle_notice(&reader, session->command->notice, session->command);
    case CONTROL_PAUSED:
        return handle_notice(&reader, session->command->warn, session->command);
    case CONTROL_ERROR:
        berth_control_get_error(frame, error);
        session->status = 125;
        return true;
    default:
        return true; /* EOF: nothing to do */
    }
}

static bool handle_frames(Session *session, GError **error)
{
    WireFrame frame;
    int found;
    while (session->status < 0 &&
           (found = berth_channel_next(&session->channel, &frame, error)) != 0) {
        if (found < 0)
            return false;
        if (handle_frame(session, &frame, error))
            continue;
        berth_error_set(error, BERTH_ERROR_PROTOCOL, "session.frame", NULL,
                        "the guest sent an invalid %s frame", wire_type_name(frame.type));
        return false;
    }
    return true;
}

/* --- the loop --------------------------------------------------------------------------------- */

/* The outputs, by channel, then the others. */
enum { POLL_KEEPER = WIRE_CHANNELS, POLL_INPUT, POLL_SIGNALS, POLL_COUNT };

/* Do not read a terminal from its background: SIGTTIN would stop us, and the input is for another
 * process. No event reports a change, so it is polled. */
#define BACKGROUND_MSEC 500

static bool in_background(const Session *session)
{
    return session->input >= 0 && session->input_is_terminal &&
           tcgetpgrp(session->input) != getpgrp();
}

static void prepare(const Session *session, bool background, struct pollfd polls[POLL_COUNT])
{
    bool running = session->status < 0;
    bool can_send = !background && session->opened && session->credit.available > 0 &&
                    wire_buffer_size(&session->channel.output) < WIRE_WINDOW;
    short keeper = wire_buffer_size(&session->channel.output) > 0 ? POLLIN | POLLOUT : POLLIN;

    for (guint i = 0; i < WIRE_CHANNELS; i++)
        polls[i] = berth_guest_output_poll(&session->outputs[i], running);
    polls[POLL_KEEPER] = (struct pollfd){running ? session->channel.fd : -1, keeper, 0};
    polls[POLL_INPUT] = (struct pollfd){running && can_send ? session->input : -1, POLLIN, 0};
    polls[POLL_SIGNALS] = (struct pollfd){session->signals, POLLIN, 0};
}

static bool finished(const Session *session)
{
    for (guint i = 0; i < WIRE_CHANNELS; i++)
        if (berth_guest_output_waits(&session->outputs[i]))
            return false;
    return session->status >= 0;
}

/* In milliseconds; -1: no limit. */
static int poll_timeout(const Session *session)
{
    gint64 most = session->background ? BACKGROUND_MSEC : -1;
    if (session->unanswered == 0)
        return (int)most;
    gint64 left = MAX(session->deadline_usec - g_get_monotonic_time(), 0) / 1000 + 1;
    return (int)(most >= 0 ? MIN(most, left) : left);
}

static bool serve_keeper(Session *session, short revents, GError **error)
{
    if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
        (!berth_channel_fill(&session->channel, error) || !handle_frames(session, error)))
        return false;
    return session->status >= 0 || berth_channel_flush(&session->channel, error);
}

static bool step(Session *session, GError **error)
{
    struct pollfd polls[POLL_COUNT];
    bool background = in_background(session);
    if (session->background && !background)
        resume(session);
    session->background = background;
    prepare(session, background, polls);
    if (poll(polls, POLL_COUNT, poll_timeout(session)) < 0) {
        if (errno == EINTR)
            return true;
        berth_error_set_errno(error, errno, "session", "poll");
        return false;
    }

    for (guint i = 0; i < WIRE_CHANNELS; i++)
        berth_guest_output_serve(&session->outputs[i], polls[i].revents, &session->channel.output);
    /* After SIGCONT the polled input may belong to a shell, or be read already: poll again. */
    if (polls[POLL_SIGNALS].revents != 0 && !read_signals(session, error))
        return false;
    if (polls[POLL_SIGNALS].revents == 0 && polls[POLL_INPUT].revents != 0)
        read_input(session);
    if (!serve_keeper(session, polls[POLL_KEEPER].revents, error))
        return false;
    bool deaf = session->unanswered != 0 && session->status < 0 &&
                g_get_monotonic_time() >= session->deadline_usec;
    return !deaf || set_interrupted(session, session->unanswered, error);
}

/* Where the pseudo-terminal's output goes when only the command's stdin is a terminal. */
static int terminal_of(const BerthCommand *command)
{
    bool only_input =
        command->tty && !command->pipe_input && command->pipe_output && command->pipe_errors;
    return only_input ? command->terminal : -1;
}

static bool run(Session *session, GError **error)
{
    if (!berth_channel_send(&session->channel, error))
        return false;
    while (!finished(session))
        if (!step(session, error))
            return false;
    return true;
}

/* Set @error from @problem (taken): a connection lost before the command began is
 * "session.not-begun". */
static void set_session_error(const Session *session, GError *problem, GError **error)
{
    if (!session->opened && strcmp(berth_error_id(problem), "instance.lost") == 0) {
        berth_error_set(error, BERTH_ERROR_NOT_RUNNING, "session.not-begun", "try again",
                        "%s before the command began", problem->message);
        g_error_free(problem);
        return;
    }
    g_propagate_error(error, problem);
}

int berth_session_client_run(int fd, const BerthCommand *command, GError **error)
{
    g_auto(Session) session = {
        .command = command,
        .channel = {.fd = fd},
        .input = command->input,
        .input_is_terminal = command->input >= 0 && isatty(command->input),
        .credit = WIRE_CREDIT_INIT,
        .outputs = {BERTH_GUEST_OUTPUT_INIT(WIRE_STDIN, terminal_of(command)),
                    BERTH_GUEST_OUTPUT_INIT(WIRE_STDOUT, command->output),
                    BERTH_GUEST_OUTPUT_INIT(WIRE_STDERR, command->errors)},
        .signals = -1,
        .status = -1,
    };
    int flags = fcntl(command->output, F_GETFL);
    session.outputs[WIRE_STDOUT].nonblocking = flags >= 0 && (flags & O_NONBLOCK) != 0;
    berth_channel_begin(&session.channel);
    if (!berth_session_open_put(command, &session.channel.output, &session.split, error))
        return -1;
    berth_read_ahead_init(&session.ahead, session.input);
    if (session.input < 0)
        end_input(&session);
    g_autoptr(GError) problem = NULL;
    bool ended = run(&session, &problem);
    berth_read_ahead_restore(&session.ahead);
    if (problem == NULL)
        return session.status;
    int status = ended && session.status != 125 ? session.status : -1;
    set_session_error(&session, g_steal_pointer(&problem), error);
    return status;
}

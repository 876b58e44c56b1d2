/* SPDX-License-Identifier: MIT */
#include "agent.h"

#include "boot_watch.h"
#include "calls.h"
#include "follow_host.h"
#include "host_tasks.h"
#include "opening.h"
#include "setup.h"
#include "takeover.h"
#include "unix_relay.h"
#include "session.h"

#include "distro/account.h"
#include "os/cgroup.h"
#include "os/clock.h"
#include "os/config.h"
#include "os/log.h"
#include "os/report.h"
#include "ports/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Stop reading from the host while this many bytes are queued for it: only a host that sends
 * requests without reading answers gets that far. */
#define QUEUE_MAX (1024u * 1024u)
/* Grace period of sessions when the agent exits; then they are killed. */
#define CLOSING_SEC      2
#define POWER_RETRY_NSEC 100000000L

typedef struct {
    const AgentOptions *options;
    Loop loop;
    Channel *channel;
    Source port;
    Source children;
    Source carrier; /* of the shares */
    Shares shares;
    Source timer; /* retries a power request, or ends the grace period; one at a time */
    SessionHost host;
    char *user;
    char marked_user[65];
    Session **sessions;
    size_t session_count;
    Openings openings;
    Relays relays;
    Calls calls;
    Listeners *listeners;
    BootWatch *boot;
    WirePower power;
    bool power_pending;
    HostTasks tasks;
    bool connected;
    bool configured;   /* a CONFIG has come on this connection: the next one is another host's */
    bool framing_lost; /* malformed input: ignore all until the host reconnects */
    bool closing;
    bool done;
    int status;
} Agent;

/* ---- reports on stream 0 ---- */

static void on_listeners(void *data)
{
    Agent *agent = data;
    if (agent->connected)
        listeners_put(agent->listeners, &agent->channel->out);
}

static void on_boot_stage(void *data, const char *stage, const char *problem)
{
    Agent *agent = data;
    if (agent->connected)
        report_stage(&agent->channel->out, stage, problem);
}

static void on_booted(void *data, const char *status)
{
    Agent *agent = data;
    if (agent->connected)
        report_text(&agent->channel->out, WIRE_BOOTED, status);
}

/* Send READY, BOOTED and LISTENERS to a host that has just connected. */
static void report_state(Agent *agent)
{
    WireBuffer *out = &agent->channel->out;
    const char *status = boot_watch_status(agent->boot);
    report_ready(out, power_init_name(boot_watch_init(agent->boot)),
                 agent->options->init_timeout_msec);
    if (status != NULL)
        report_text(out, WIRE_BOOTED, status);
    if (agent->listeners != NULL && listeners_known(agent->listeners))
        listeners_put(agent->listeners, out);
}

/* The same to another host, from HELLO on. SHARE may have waited for it, or for a hold's end. */
static void report_again(Agent *agent)
{
    report_hello(&agent->channel->out);
    shares_report(&agent->shares, &agent->channel->out);
    report_state(agent);
}

/* ---- sessions ---- */

static Session *find_session(Agent *agent, uint32_t stream)
{
    for (size_t i = 0; i < agent->session_count; i++) {
        if (session_is_open(agent->sessions[i]) && session_stream(agent->sessions[i]) == stream)
            return agent->sessions[i];
    }
    return NULL;
}

/* Adopt another default user: of a first-run command that has succeeded, or of "berth manage
 * --set-default-user". */
static void follow_default_user(Agent *agent)
{
    const Settings *settings = agent->options->settings;
    char user[sizeof(agent->marked_user)];
    if (!agent->options->in_machine || (settings != NULL && settings->user != NULL))
        return;
    account_marked(user);
    if (strcmp(user, agent->marked_user) == 0)
        return;
    strcpy(agent->marked_user, user);
    agent->host.user = agent->marked_user;
}

static void open_session(Agent *agent, const WireFrame *frame)
{
    follow_default_user(agent);
    Session **grown = realloc(agent->sessions, (agent->session_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        session_refuse(&agent->host, frame->stream, strerror(ENOMEM));
        return;
    }
    agent->sessions = grown;
    Session *session = session_open(&agent->host, frame);
    if (session != NULL)
        agent->sessions[agent->session_count++] = session;
}

static void sweep_sessions(Agent *agent)
{
    size_t kept = 0;
    for (size_t i = 0; i < agent->session_count; i++) {
        if (session_is_gone(agent->sessions[i]))
            session_free(agent->sessions[i]);
        else
            agent->sessions[kept++] = agent->sessions[i];
    }
    agent->session_count = kept;
}

static void each_session(Agent *agent, void (*function)(Session *session))
{
    for (size_t i = 0; i < agent->session_count; i++)
        function(agent->sessions[i]);
}

/* LoginsReady: let commands that wait for the login session of @uid start. */
static void on_login(void *data, uid_t uid, const Login *login)
{
    Agent *agent = data;
    for (size_t i = 0; i < agent->session_count; i++)
        session_login(agent->sessions[i], uid, login);
}

static void on_children(Source *source, uint32_t events)
{
    Agent *agent = container_of(source, Agent, children);
    struct signalfd_siginfo info;
    while (read(source->fd, &info, sizeof(info)) > 0)
        continue;

    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        host_tasks_reaped(&agent->tasks, pid, status);
        logins_reaped(agent->host.logins, pid, status);
        for (size_t i = 0; i < agent->session_count; i++) {
            if (session_pid(agent->sessions[i]) == pid)
                session_exited(agent->sessions[i], status);
        }
    }
}

/* ---- power ---- */

static void set_timer(Agent *agent, time_t sec, long nsec)
{
    struct itimerspec when = {.it_value = {.tv_sec = sec, .tv_nsec = nsec}};
    timerfd_settime(agent->timer.fd, 0, &when, NULL);
}

static void try_power(Agent *agent)
{
    agent->power_pending = !power_request(boot_watch_init(agent->boot), agent->power);
    if (agent->power_pending)
        set_timer(agent, 0, POWER_RETRY_NSEC);
}

/* Begin to exit: hang up all sessions and give them CLOSING_SEC to end. */
static void start_closing(Agent *agent)
{
    agent->closing = true;
    each_session(agent, session_hang_up);
    set_timer(agent, CLOSING_SEC, 0);
}

static void on_timer(Source *source, uint32_t events)
{
    Agent *agent = container_of(source, Agent, timer);
    uint64_t count;
    if (read(source->fd, &count, sizeof(count)) < 0)
        return;
    if (agent->power_pending)
        try_power(agent);
    if (agent->closing) {
        each_session(agent, session_kill);
        agent->done = true;
    }
}

static void handle_power(Agent *agent, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    uint8_t action = wire_get_u8(&reader);
    if (!wire_reader_done(&reader) || action > WIRE_POWER_REBOOT)
        return;

    agent->power = action;
    if (agent->options->in_machine) {
        each_session(agent, session_hang_up);
        try_power(agent);
    } else {
        start_closing(agent);
    }
}

/* ---- shares ---- */

/* The file system was unmounted, and its carrier ended. */
static void end_shares(Agent *agent)
{
    loop_close(&agent->loop, &agent->carrier);
    agent->shares.link = -1;
    agent->shares.wants_server = false;
    host_tasks_unshared(&agent->tasks);
}

static void on_carrier(Source *source, uint32_t events)
{
    Agent *agent = container_of(source, Agent, carrier);
    CarrierMessage message;
    if (recv(source->fd, &message, sizeof(message), MSG_DONTWAIT) != sizeof(message)) {
        end_shares(agent);
    } else if (message.word == CARRIER_HELD) {
        host_tasks_held(&agent->tasks, message.number);
    } else {
        agent->shares.wants_server = message.word == CARRIER_LOST;
        if (agent->connected)
            shares_report(&agent->shares, &agent->channel->out);
    }
}

/* ---- frames from the host ---- */

/* The host's end of all streams is gone: what it asked for ends as if each client had left. */
static void forget_host(Agent *agent)
{
    each_session(agent, session_abandon);
    openings_clear(&agent->openings);
    relays_abandon(&agent->relays);
    calls_abandon(&agent->calls);
}

/* Become the distro that @config is of. */
static void follow_config(Agent *agent, const Config *config)
{
    char *user = strdup(config->user);
    if (user != NULL) {
        free(agent->user);
        agent->user = user;
        agent->host.user = user;
    }
    if (agent->options->in_machine)
        clock_follow(config->realtime_nsec, 0);
}

/* Another host has taken the guest over, which may be frozen: it knows nothing of the former one,
 * and hears nothing that was meant for that. */
static void begin_anew(Agent *agent, const Config *config)
{
    forget_host(agent);
    host_tasks_forget(&agent->tasks);
    wire_buffer_clear(&agent->channel->out);
    takeover_begin(agent->options, config);
    follow_config(agent, config);
    report_again(agent);
}

static void handle_config(Agent *agent, const WireFrame *frame)
{
    Config config;
    if (!config_read(frame, &config)) {
        log_line("the host's configuration cannot be read");
        return;
    }
    if (agent->configured)
        begin_anew(agent, &config);
    else
        follow_config(agent, &config);
    agent->configured = true;
}

static void handle_opening(Agent *agent, const WireFrame *frame)
{
    WireFrame open;
    OpeningResult result = openings_handle(&agent->openings, frame, &open);
    if (result == OPENING_BROKEN)
        session_refuse(&agent->host, frame->stream, SESSION_MALFORMED);
    if (result == OPENING_WHOLE) {
        open_session(agent, &open);
        openings_forget(&agent->openings, frame->stream);
    }
}

/* An OPEN for a stream in use is a protocol error: kill its session. */
static void handle_session_frame(Agent *agent, const WireFrame *frame)
{
    if ((frame->stream & WIRE_GUEST_STREAM) != 0) {
        calls_frame(&agent->calls, frame);
        return;
    }
    Session *session = find_session(agent, frame->stream);
    if (session == NULL && relays_frame(&agent->relays, frame))
        return;
    if (session == NULL && !agent->closing)
        handle_opening(agent, frame);
    else if (session != NULL && frame->type == WIRE_OPEN)
        session_kill(session);
    else if (session != NULL)
        session_frame(session, frame);
}

/* Those of a session that runs reach its descriptors only. */
static bool may_write(const WireFrame *frame)
{
    if (frame->stream != 0)
        return frame->type == WIRE_OPEN || frame->type == WIRE_MORE;
    return frame->type != WIRE_FREEZE && frame->type != WIRE_RELEASE && frame->type != WIRE_MEASURE;
}

static void handle_frame(Agent *agent, const WireFrame *frame)
{
    channel_release(agent->channel); /* the machine runs */
    if (may_write(frame))
        host_tasks_write(&agent->tasks);
    if (frame->stream != 0)
        handle_session_frame(agent, frame);
    else if (frame->type == WIRE_CONFIG)
        handle_config(agent, frame);
    else if (frame->type == WIRE_POWER)
        handle_power(agent, frame);
    else if (frame->type == WIRE_UNSHARE)
        shares_end(&agent->shares);
    else if (!host_tasks_frame(&agent->tasks, frame))
        follow_host(agent->options, frame);
}

/* Not while the channel is held, since only a frame of the host's ends that. */
static bool must_pause(const Agent *agent)
{
    return !agent->channel->is_held && wire_buffer_size(&agent->channel->out) >= QUEUE_MAX;
}

static void disconnect(Agent *agent);

/* The frame boundary is lost. Discard all input of a port until the host reconnects; close a
 * socket. */
static void lose_framing(Agent *agent)
{
    log_line("the host sent an invalid frame; its sessions end here");
    agent->framing_lost = true;
    forget_host(agent);
    if (!agent->channel->is_port)
        disconnect(agent);
}

static void handle_frames(Agent *agent)
{
    WireFrame frame;
    int result = 0;
    while (!must_pause(agent) && (result = wire_frame_peek(&agent->channel->in, &frame)) > 0) {
        handle_frame(agent, &frame);
        wire_buffer_consume(&agent->channel->in, WIRE_HEADER_SIZE + frame.size);
    }
    if (result < 0)
        lose_framing(agent);
}

/* ---- the connection ---- */

static void watch_port(Agent *agent)
{
    if (!agent->connected) {
        /* EPOLLHUP is always reported: edge-triggered, once now and once when the host
         * reconnects. */
        loop_watch(&agent->loop, &agent->port, EPOLLIN | EPOLLOUT | EPOLLET);
        return;
    }
    bool writes = channel_pending(agent->channel) > 0;
    bool reads = !must_pause(agent);
    loop_watch(&agent->loop, &agent->port,
               (reads ? (uint32_t)EPOLLIN : 0) | (writes ? (uint32_t)EPOLLOUT : 0));
}

static void disconnect(Agent *agent)
{
    agent->connected = agent->configured = false;
    forget_host(agent);
    channel_reset(agent->channel);
    if (!agent->channel->is_port) {
        loop_close(&agent->loop, &agent->port);
        agent->status = agent->framing_lost ? EXIT_FAILURE : EXIT_SUCCESS;
        start_closing(agent);
    }
}

static void reconnect(Agent *agent)
{
    agent->connected = true;
    agent->framing_lost = false;
    report_again(agent);
}

static void receive(Agent *agent)
{
    int result = channel_fill(agent->channel);
    if (result == 0 || (result < 0 && result != -EAGAIN)) {
        disconnect(agent);
        return;
    }
    if (agent->framing_lost)
        wire_buffer_consume(&agent->channel->in, wire_buffer_size(&agent->channel->in));
    else
        handle_frames(agent);
}

static void on_port(Source *source, uint32_t events)
{
    Agent *agent = container_of(source, Agent, port);
    if (!agent->connected) {
        if ((events & (EPOLLHUP | EPOLLERR)) == 0)
            reconnect(agent);
        return;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        receive(agent);
}

/* After each turn: flush the output, and resume what waited for space in it. */
static void settle(Agent *agent)
{
    if (agent->connected && channel_flush(agent->channel) < 0)
        disconnect(agent);
    if (agent->host.waiting && wire_buffer_size(&agent->channel->out) < SESSION_QUEUE_MAX) {
        agent->host.waiting = false;
        each_session(agent, session_resume);
    }
    if (agent->relays.waiting && wire_buffer_size(&agent->channel->out) < SESSION_QUEUE_MAX)
        relays_resume(&agent->relays);
    if (agent->calls.waiting && wire_buffer_size(&agent->channel->out) < SESSION_QUEUE_MAX)
        calls_resume(&agent->calls);

    if (agent->connected && !agent->framing_lost && !must_pause(agent))
        handle_frames(agent); /* frames deferred by must_pause */
    sweep_sessions(agent);
    relays_sweep(&agent->relays);
    calls_sweep(&agent->calls);
    listeners_sweep(agent->listeners);
    if (source_is_open(&agent->port))
        watch_port(agent);
    bool flushed = !agent->connected || wire_buffer_size(&agent->channel->out) == 0;
    if (agent->closing && agent->session_count == 0 && flushed)
        agent->done = true;
}

/* ---- start ---- */

static int start(Agent *agent)
{
    int result = loop_init(&agent->loop);
    if (result < 0)
        return result;
    int children = setup_signals();
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (children < 0 || timer < 0)
        return -errno;

    setup_limits(agent->options->in_machine, &agent->host.files);
    loop_add(&agent->loop, &agent->children, children, EPOLLIN, on_children);
    loop_add(&agent->loop, &agent->timer, timer, EPOLLIN, on_timer);
    loop_add(&agent->loop, &agent->port, agent->channel->fd, EPOLLIN, on_port);

    int listening =
        agent->options->calls != NULL ? calls_listen(&agent->calls, agent->options->calls) : 0;
    if (listening < 0)
        log_line("%s: %s", agent->options->calls, strerror(-listening));
    if (agent->shares.link >= 0)
        loop_add(&agent->loop, &agent->carrier, agent->shares.link, EPOLLIN, on_carrier);

    static const BootWatchEvents boot_events = {on_boot_stage, on_booted};
    agent->boot = boot_watch_new(&agent->loop, agent->options->init, agent->options->handover,
                                 agent->options->notify, &boot_events, agent);
    agent->host.group = cgroup_open_distro(agent->options->cgroups);
    static const LoginsSystem system = {LOGINS_DIRECTORY, "/usr/bin:/bin", clock_boottime_usec};
    if (agent->options->init == INIT_SYSTEMD)
        agent->host.logins = logins_new(&agent->loop, &system, on_login, agent);
    if (agent->options->listeners)
        agent->listeners =
            listeners_new(&agent->loop, agent->options->in_machine, agent->options->device,
                          agent->options->config, on_listeners, agent);
    return agent->boot != NULL ? 0 : -ENOMEM;
}

static void stop(Agent *agent)
{
    for (size_t i = 0; i < agent->session_count; i++)
        session_free(agent->sessions[i]);
    free(agent->sessions);
    logins_free(agent->host.logins);
    if (agent->host.group >= 0)
        close(agent->host.group);
    openings_clear(&agent->openings);
    relays_clear(&agent->relays);
    calls_clear(&agent->calls);
    listeners_free(agent->listeners);
    boot_watch_free(agent->boot);
    loop_close(&agent->loop, &agent->port);
    loop_close(&agent->loop, &agent->timer);
    loop_close(&agent->loop, &agent->carrier);
    loop_close(&agent->loop, &agent->children);
    close(agent->loop.epoll);
    channel_reset(agent->channel);
    free(agent->user);
}

int agent_run(const AgentOptions *options)
{
    WireBuffer *out = &options->channel->out;
    Agent agent = {
        .options = options,
        .channel = options->channel,
        .connected = true,
        .configured = options->hello_sent,
        .host = {.user = options->user,
                 .umask = options->umask,
                 .loop = &agent.loop,
                 .ssh_agent = &agent.calls.ssh_agent,
                 .gpg_agent = &agent.calls.gpg_agent,
                 .out = out},
        .shares = options->shares,
        .tasks = {options, out, .connected = &agent.connected, .shares = &agent.shares},
        .relays = {.loop = &agent.loop, .out = out},
        .calls = {.loop = &agent.loop, .out = out, .user = &agent.host.user},
    };
    account_marked(agent.marked_user);

    int result = start(&agent);
    if (result < 0) {
        log_line("the agent cannot start: %s", strerror(-result));
        return EXIT_FAILURE;
    }
    if (!options->hello_sent)
        report_hello(&agent.channel->out);
    report_state(&agent);
    handle_frames(&agent);
    settle(&agent);

    while (!agent.done && result == 0) {
        result = loop_turn(&agent.loop);
        settle(&agent);
    }
    stop(&agent);
    return result == 0 ? agent.status : EXIT_FAILURE;
}

/* SPDX-License-Identifier: MIT
 *
 * control_fixture — the control socket, both real ends over a real socket: the server runs in a
 * thread of its own, as it does in the keeper's process; in the guest's place stands a function per
 * test.
 */
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/request.h"
#include "instance/control/hello.h"
#include "instance/keeper/server.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct Fixture Fixture;

struct Fixture {
    /* what the guest does with a session's frame */
    void (*guest)(Fixture *fixture, const WireFrame *frame, guint32 stream);
    bool up; /* from the start */
    BerthStreams *streams;
    BerthServer *server;
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;
    int listen_fd;
    struct sockaddr_un address;
    char *dir;
    int opens; /* OPEN frames to the guest */
    int hung_up;
    int stops;
    int wakes;
    gint64 kept; /* seconds of the last CONTROL_KEEP */
    int holds;
    int releases;
    bool cannot_suspend;
    bool slow_hold;            /* the test says when it is held */
    bool slow_grow;            /* the test says when the disk has grown */
    guint ports;               /* that there are, or one */
    const char *const *shares; /* or NULL */
    char **set_shares;         /* of the last request; the test frees it */
    bool slow_shares;          /* the test settles them */
    GPtrArray *skipped;
    BerthBootReport *report;
};

static inline void send_to_guest(const WireFrame *frame, guint32 stream, gpointer data)
{
    Fixture *fixture = data;
    fixture->opens += frame->type == WIRE_OPEN;
    if (fixture->guest != NULL)
        fixture->guest(fixture, frame, stream);
}

static inline void hang_up(guint32 stream, gpointer data)
{
    Fixture *fixture = data;
    g_atomic_int_inc(&fixture->hung_up);
}

static inline void stop(BerthStopHow how, guint grace_sec, gpointer data)
{
    Fixture *fixture = data;
    g_assert_cmpint(how, ==, BERTH_STOP_FORCE);
    g_assert_cmpuint(grace_sec, ==, 7);
    fixture->stops++;
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_NOT_RUNNING, "instance.stopped", NULL, "was powered off");
    berth_server_finish(fixture->server, error);
}

static inline void suspend(gpointer data)
{
    Fixture *fixture = data;
    g_autoptr(GError) error = NULL;
    if (fixture->cannot_suspend)
        berth_error_set(&error, BERTH_ERROR_GUEST, "suspend.guest", NULL, "no");
    berth_server_suspended(fixture->server, error);
}

static inline void hold(gpointer data)
{
    Fixture *fixture = data;
    g_atomic_int_inc(&fixture->holds);
    g_assert_true(berth_server_is_held(fixture->server));
    if (fixture->cannot_suspend)
        suspend(data);
    else if (!fixture->slow_hold)
        berth_server_held(fixture->server, true);
}

static inline void release(gpointer data)
{
    Fixture *fixture = data;
    if (!berth_server_is_held(fixture->server))
        g_atomic_int_inc(&fixture->releases);
}

static inline void park(gpointer data)
{
    Fixture *fixture = data;
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_NO_SPACE, "park.write.no-space", NULL, "no room");
    berth_server_parked(fixture->server, fixture->cannot_suspend ? error : NULL);
}

static inline void wake(gpointer data)
{
    Fixture *fixture = data;
    g_atomic_int_inc(&fixture->wakes);
}

static inline void keep(guint32 seconds, gpointer data)
{
    Fixture *fixture = data;
    fixture->kept = seconds;
}

static inline BerthInstanceStatus *status(gpointer data)
{
    BerthInstanceStatus *is = g_new0(BerthInstanceStatus, 1);
    is->state = g_strdup("running");
    is->accel = g_strdup("tcg");
    is->keeper_pid = 12;
    is->qemu_pid = 34;
    is->uptime_usec = G_GINT64_CONSTANT(1790000000000000);
    is->kernel = g_strdup("6.12.1");
    is->init = g_strdup("systemd");
    is->init_status = g_strdup("running");
    is->host_ports = g_strdup("3128,8080");
    is->reason = g_strdup("");
    is->memory_kept = G_GUINT64_CONSTANT(5) << 32;
    is->idle = g_strdup("stop");
    is->idle_timeout_sec = 70;
    is->awake = g_strdup("data");
    is->idle_usec = BERTH_NOT_FORESEEN;
    is->kept_usec = G_GUINT64_CONSTANT(6) << 32;
    is->idle_problem = g_strdup("a share is stuck");
    is->due_usec = G_GUINT64_CONSTANT(7) << 32;
    is->due_name = g_strdup("backup.timer");
    is->checkpoint = g_strdup("every 30min");
    is->checkpoint_problem = g_strdup("no room");
    return is;
}

static inline GPtrArray *ports(gpointer data)
{
    GPtrArray *forwards = g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
    BerthForward *forward = g_new0(BerthForward, 1);
    forward->rule = (BerthRule){.protocol = BERTH_TCP, .host_port = 8080, .guest_port = 8080};
    forward->host_port = 8081;
    forward->legs[0] = (BerthLeg){.state = BERTH_FORWARD_OPEN, .family = 6, .host = {[15] = 1}};
    forward->origin = BERTH_ORIGIN_PUBLISH;
    forward->state = BERTH_FORWARD_BLOCKED;
    forward->owner = g_strdup("nginx");
    forward->reason = g_strdup("port 8080 is in use");
    g_ptr_array_add(forwards, forward);
    for (guint i = 1; i < ((Fixture *)data)->ports; i++) {
        forward = berth_forward_copy(forward);
        forward->rule.guest_port = (guint16)i;
        g_free(forward->owner);
        g_free(forward->reason);
        forward->owner = g_strnfill(60000, 'o'); /* as a guest may call it */
        forward->reason = g_strnfill(200, 'r');
        g_ptr_array_add(forwards, forward);
    }
    return forwards;
}

static inline void grow(guint64 size, gpointer data)
{
    Fixture *fixture = data;
    g_autoptr(GError) error = NULL;
    if (fixture->slow_grow)
        return;
    if (size > G_GUINT64_CONSTANT(1) << 40)
        berth_error_set(&error, BERTH_ERROR_FAILED, "qmp.command", NULL, "too large");
    berth_server_grown(fixture->server, error);
}

static inline bool set_rule(const BerthRule *rule, bool wanted, gpointer data, GError **error)
{
    Fixture *fixture = data;
    if (rule->guest_port == 1) {
        berth_error_set(error, BERTH_ERROR_NOT_RUNNING, "instance.stopped", NULL, "it has stopped");
        return false;
    }
    fixture->ports += wanted ? 1 : -1;
    g_autoptr(GPtrArray) forwards = ports(fixture);
    berth_server_ports_changed(fixture->server, forwards);
    return true;
}

static inline const BerthBootReport *boot(gpointer data)
{
    Fixture *fixture = data;
    if (fixture->report == NULL) {
        fixture->report = berth_boot_report_new();
        berth_boot_report_guest(fixture->report, "disk", 0, "no such\adevice");
        berth_boot_report_mark(fixture->report, "ready");
        berth_boot_report_notice(fixture->report, "a note");
    }
    return fixture->report;
}

static inline char **shares(gpointer data)
{
    const Fixture *fixture = data;
    return g_strdupv((char **)fixture->shares);
}

/* The texts come back as the shares; "rw:/refused:/" is refused. */
static inline bool set_shares(const char *const *texts, BerthSharesEffect *ret_effect,
                              bool *ret_waits, gpointer data, GError **error)
{
    Fixture *fixture = data;
    if (g_strv_contains(texts, "rw:/refused:/")) {
        berth_error_set(error, BERTH_ERROR_DENIED, "instance.isolated", NULL, "isolated");
        return false;
    }
    g_strfreev(fixture->set_shares);
    fixture->set_shares = g_strdupv((char **)texts);
    *ret_effect = (BerthSharesEffect)(g_strv_length(fixture->set_shares) % 4);
    *ret_waits = fixture->slow_shares;
    return true;
}

static inline const GPtrArray *skipped_shares(gpointer data)
{
    const Fixture *fixture = data;
    return fixture->skipped;
}

static inline bool set_host_ports(const char *ports_text, gpointer data, GError **error)
{
    if (g_str_equal(ports_text, "80, 443"))
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "access.port", "hint", "no port");
    return false;
}

static inline bool allow_host_port(guint16 port, gpointer data, GError **error)
{
    if (port == 3128)
        return true;
    berth_error_set(error, BERTH_ERROR_DENIED, "instance.isolated", NULL, "isolated");
    return false;
}

static const BerthServerOps ops = {
    .stop = stop,
    .grow = grow,
    .suspend = suspend,
    .park = park,
    .hold = hold,
    .release = release,
    .wake = wake,
    .keep = keep,
    .status = status,
    .ports = ports,
    .set_rule = set_rule,
    .set_host_ports = set_host_ports,
    .allow_host_port = allow_host_port,
    .shares = shares,
    .set_shares = set_shares,
    .skipped_shares = skipped_shares,
    .boot = boot,
};

static const BerthStreamsOps streams_ops = {send_to_guest, hang_up};

static inline gpointer serve(gpointer data)
{
    Fixture *fixture = data;
    fixture->streams = berth_streams_new(&streams_ops, fixture);
    /* The guest's numbers are never the client's own. */
    while (berth_streams_open(fixture->streams, NULL, NULL) < 1000)
        ;
    g_main_context_push_thread_default(fixture->context);
    fixture->server = berth_server_new(fixture->listen_fd, fixture->streams, &ops, fixture);
    berth_server_set_up(fixture->server, fixture->up);
    g_main_loop_run(fixture->loop);
    berth_server_free(fixture->server);
    berth_streams_free(fixture->streams);
    g_main_context_pop_thread_default(fixture->context);
    return NULL;
}

static inline void start(Fixture *fixture)
{
    fixture->dir = g_dir_make_tmp("berth-control-XXXXXX", NULL);
    fixture->address.sun_family = AF_UNIX;
    g_snprintf(fixture->address.sun_path, sizeof(fixture->address.sun_path), "%s/control",
               fixture->dir);
    fixture->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(
        bind(fixture->listen_fd, (struct sockaddr *)&fixture->address, sizeof(fixture->address)),
        ==, 0);
    g_assert_cmpint(listen(fixture->listen_fd, 16), ==, 0);
    fixture->context = g_main_context_new();
    fixture->loop = g_main_loop_new(fixture->context, FALSE);
    fixture->thread = g_thread_new("server", serve, fixture);
}

static inline void finish(Fixture *fixture)
{
    g_main_loop_quit(fixture->loop);
    g_thread_join(fixture->thread);
    g_main_loop_unref(fixture->loop);
    g_main_context_unref(fixture->context);
    unlink(fixture->address.sun_path);
    rmdir(fixture->dir);
    berth_boot_report_free(fixture->report);
    g_free(fixture->dir);
}

/* A connection on which nothing was said. */
static inline int connection(Fixture *fixture)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&fixture->address, sizeof(fixture->address)), ==,
                    0);
    return fd;
}

static inline void send_frame(int fd, guint type, guint32 stream, const void *payload, gsize size)
{
    WireBuffer buffer = {0};
    wire_frame_put(&buffer, (WireType)type, 0, stream, payload, size);
    g_assert_cmpint(berth_fd_write_all(fd, wire_buffer_head(&buffer), wire_buffer_size(&buffer)),
                    ==, 0);
    wire_buffer_clear(&buffer);
}

/* One on which the versions are known to be the same. */
static inline int client(Fixture *fixture)
{
    int fd = connection(fixture);
    guint8 answer[WIRE_HEADER_SIZE + 4];
    WireBuffer hello = {0};
    berth_hello_put(&hello);
    g_assert_cmpint(berth_fd_write_all(fd, wire_buffer_head(&hello), wire_buffer_size(&hello)), ==,
                    0);
    g_assert_cmpint(recv(fd, answer, sizeof(answer), MSG_WAITALL), ==, sizeof(answer));
    wire_buffer_clear(&hello);
    return fd;
}

/* Say @type on @stream, as the guest. */
static inline void send_as_guest(Fixture *fixture, WireType type, guint8 channel, guint32 stream,
                                 const void *payload, gsize size)
{
    WireFrame frame = {.type = (guint8)type,
                       .channel = channel,
                       .stream = stream,
                       .payload = payload,
                       .size = (guint32)size};
    berth_streams_deliver(fixture->streams, &frame);
}

static inline gboolean come_up(gpointer data)
{
    Fixture *fixture = data;
    berth_server_set_up(fixture->server, true);
    return G_SOURCE_REMOVE;
}

static inline gboolean fail_boot(gpointer data)
{
    Fixture *fixture = data;
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_GUEST, "instance.boot-timeout", "look at the log",
                    "the guest did not answer");
    berth_server_fail(fixture->server, error, false);
    return G_SOURCE_REMOVE;
}

static inline void after_a_moment(Fixture *fixture, GSourceFunc func)
{
    g_autoptr(GSource) source = g_timeout_source_new(50);
    g_source_set_callback(source, func, fixture, NULL);
    g_source_attach(source, fixture->context);
}

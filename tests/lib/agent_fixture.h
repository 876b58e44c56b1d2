/* SPDX-License-Identifier: MIT
 *
 * agent_fixture — the host's side of the agent's channel, whose events become a text, and the
 * guest's end of it.
 */
#pragma once

#include "base/fd.h"
#include "guest/agent_client.h"

#include <sys/socket.h>

typedef struct {
    BerthMachine *machine;
    BerthAgentClient *agent;
    int guest;
    GString *log; /* the events, in order */
    bool free_in_callback;
} Fixture;

static void log_event(Fixture *fixture, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void log_event(Fixture *fixture, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_string_append_vprintf(fixture->log, format, args);
    va_end(args);
    if (fixture->free_in_callback)
        g_clear_pointer(&fixture->agent, berth_agent_client_free);
}

static void on_hello(const char *kernel, gpointer data)
{
    log_event(data, "hello %s;", kernel);
}

static void on_stage(const char *name, guint64 usec, const char *problem, gpointer data)
{
    log_event(data, "stage %s %u %s;", name, (guint)usec, problem != NULL ? problem : "well");
}

static void on_ready(const char *init, guint init_timeout_msec, gpointer data)
{
    log_event(data, "ready %s %u;", init, init_timeout_msec);
}

static void on_note(const char *text, gpointer data)
{
    log_event(data, "note %s;", text);
}

static void on_booted(const char *status, gpointer data)
{
    log_event(data, "booted %s;", status);
}

static void on_listeners(GPtrArray *listeners, gpointer data)
{
    for (guint i = 0; i < listeners->len; i++) {
        const BerthListener *listener = g_ptr_array_index(listeners, i);
        log_event(data, "listens %u %s;", listener->port, listener->owner);
    }
}

static bool on_session(const WireFrame *frame, gpointer data)
{
    log_event(data, "session %u %s;", frame->stream, wire_type_name(frame->type));
    return true;
}

static void on_lost(const GError *error, gpointer data)
{
    log_event(data, "lost %s;", error != NULL ? error->message : "in good order");
}

static void on_due(guint64 at_sec, guint32 lead_sec, guint32 hold_sec, const char *name,
                   gpointer data)
{
    Fixture *fixture = data;
    g_string_append_printf(fixture->log, "due %" G_GUINT64_FORMAT " %u %u %s;", at_sec, lead_sec,
                           hold_sec, name);
}

static void on_watched(const WireWatch *watches, gsize n_watches, gpointer data)
{
    Fixture *fixture = data;
    g_string_append_printf(fixture->log, "watched %zu", n_watches);
    for (gsize i = 0; i < n_watches; i++)
        g_string_append_printf(fixture->log, " %" G_GUINT64_FORMAT ":%x", watches[i].node,
                               watches[i].mask);
    g_string_append_c(fixture->log, ';');
}

static void on_frozen(const char *problem, gpointer data)
{
    Fixture *fixture = data;
    g_string_append_printf(fixture->log, "frozen %s;", problem != NULL ? problem : "well");
}

static void on_measured(guint64 memory, guint64 available, guint64 disk, guint64 disk_used,
                        gpointer data)
{
    g_string_append_printf(((Fixture *)data)->log,
                           "measured %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                           " %" G_GUINT64_FORMAT ";",
                           memory, available, disk, disk_used);
}

static void on_reclaimed(bool busy, guint64 taken, guint64 refaulted, gpointer data)
{
    Fixture *fixture = data;
    g_string_append_printf(fixture->log,
                           "reclaimed %d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT ";", busy, taken,
                           refaulted);
}

static void on_grown(const char *problem, gpointer data)
{
    Fixture *fixture = data;
    g_string_append_printf(fixture->log, "grown %s;", problem != NULL ? problem : "well");
}

static const BerthAgentClientEvents events = {
    .hello = on_hello,
    .stage = on_stage,
    .ready = on_ready,
    .booted = on_booted,
    .listeners = on_listeners,
    .grown = on_grown,
    .frozen = on_frozen,
    .reclaimed = on_reclaimed,
    .measured = on_measured,
    .due = on_due,
    .watched = on_watched,
    .note = on_note,
    .session = on_session,
    .lost = on_lost,
};

static void set_up(Fixture *fixture, gconstpointer data)
{
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
    fixture->machine = berth_machine_from_text(
        "[machine]\nid=0123456789abcdef\nhostname=box\nmtu=9000\nidentity=0123456789abcdef\n"
        "account=alice\naccount-uid=1001\noobe=true\n",
        NULL);
    fixture->log = g_string_new(NULL);
    fixture->guest = pair[1];
    fixture->agent = berth_agent_client_new(pair[0], fixture->machine, true, &events, fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_agent_client_free(fixture->agent);
    berth_machine_free(fixture->machine);
    berth_fd_close(&fixture->guest);
    g_string_free(fixture->log, TRUE);
}

static void send_all(Fixture *fixture, WireBuffer *buffer)
{
    g_assert_false(buffer->failed);
    gsize size = wire_buffer_size(buffer);
    g_assert_cmpint(send(fixture->guest, wire_buffer_head(buffer), size, MSG_NOSIGNAL), ==, size);
    wire_buffer_clear(buffer);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void put_hello(WireBuffer *buffer, guint32 version)
{
    size_t begin = wire_frame_begin(buffer, WIRE_HELLO, 0, 0);
    wire_put_u32(buffer, version);
    wire_put_string(buffer, "6.12.1");
    wire_frame_end(buffer, begin);
}

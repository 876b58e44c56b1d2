/* SPDX-License-Identifier: MIT
 *
 * server — the keeper's end of the control socket: clients, their requests and their sessions.
 *
 * Answers what can be answered at once, keeps those who wait, and passes the frames of sessions
 * between clients and the guest with the stream numbers changed. It knows nothing of QEMU: the
 * instance gives it what it needs to ask (BerthServerOps) and tells it what happened.
 *
 * Guards the keeper's memory: a guest that sends more than a client gave credit for, or floods a
 * client that does not read, loses that session. A client that breaks the protocol of
 * control.h, sends more than the guest gave credit for, or asks without reading the answers is
 * disconnected.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "instance/control/control.h"

G_BEGIN_DECLS

typedef struct BerthServer BerthServer;

typedef struct {
    /* A new stream number for a session. */
    guint32 (*new_stream)(gpointer user_data);
    /* Pass a session's frame on to the guest. */
    void (*send)(const WireFrame *frame, guint32 stream, gpointer user_data);
    /* The client of this session is gone. */
    void (*hang_up)(guint32 stream, gpointer user_data);
    void (*stop)(BerthStopHow how, guint grace_sec, gpointer user_data);
    /* Make the disk so large; berth_server_grown says how it went. One at a time. */
    void (*grow)(guint64 size, gpointer user_data);
    /* Free with berth_instance_status_free; g_ptr_array_unref. */
    BerthInstanceStatus *(*status)(gpointer user_data);
    GPtrArray *(*ports)(gpointer user_data);
    /* Forward by @rule, or do not any more. */
    bool (*set_rule)(const BerthRule *rule, bool wanted, gpointer user_data, GError **error);
    /* The ports of the host the guest may reach, by the registry; and one more until it stops. */
    bool (*set_host_ports)(const char *ports, gpointer user_data, GError **error);
    bool (*allow_host_port)(guint16 port, gpointer user_data, GError **error);
    /* Borrowed. */
    const BerthBootReport *(*boot)(gpointer user_data);
} BerthServerOps;

/* Takes @listen_fd, a listening unix socket. @ops must outlive the server. */
BerthServer *berth_server_new(int listen_fd, const BerthServerOps *ops, gpointer user_data);
void berth_server_free(BerthServer *server);

/* Sessions can be opened now (or no longer): the waiting are answered. */
void berth_server_set_up(BerthServer *server, bool up);

/* The guest's agent answers, so that sessions that wait for nothing else can be opened. */
void berth_server_set_ready(BerthServer *server);

/* A frame from the guest. False: the guest broke the protocol. */
bool berth_server_deliver(BerthServer *server, const WireFrame *frame);

/* The grow is over; @error is NULL when it went well. */
void berth_server_grown(BerthServer *server, const GError *error);

/* The guest has gone: every session and, unless @keep_waiting, every waiting client gets @error. */
void berth_server_fail(BerthServer *server, const GError *error, bool keep_waiting);

/* The guest has gone, unasked: sessions that it was never asked for get @error, and can be had
 * anew; with @asked those, too, that it has not begun. */
void berth_server_release(BerthServer *server, const GError *error, bool asked);

/* The end: those who asked for the stop are told it is done, all others get @error; everything is
 * written out, for at most a moment. */
void berth_server_finish(BerthServer *server, const GError *error);

/* Show @line, of no control codes, to whoever has a session with a terminal. */
void berth_server_notify_terminals(BerthServer *server, const char *line);

/* Show @line, of no control codes, to whoever has a session or waits for the distro. */
void berth_server_notify_clients(BerthServer *server, const char *line);

/* The distro stands still, or with @paused false goes on: @line, of no control codes, says why to
 * whoever has a session or waits for it; those who come while it is paused hear it too. @line may
 * be NULL where it goes on. */
void berth_server_set_paused(BerthServer *server, bool paused, const char *line);

/* Tell who watches of the @forwards (BerthForward*) there are now. */
void berth_server_ports_changed(BerthServer *server, const GPtrArray *forwards);

guint berth_server_sessions(const BerthServer *server);

G_END_DECLS

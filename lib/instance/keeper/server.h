/* SPDX-License-Identifier: MIT
 *
 * server — the keeper's end of the control socket: clients, their requests and their sessions.
 *
 * Answers requests, keeps clients that wait, and passes session frames between clients and the
 * guest with the stream numbers translated. Knows nothing of QEMU: it asks the instance through
 * BerthServerOps, and the instance reports events to it.
 *
 * Bounds the keeper's memory: a guest that exceeds a client's credit, or the backlog of a client
 * that does not read, loses that session. A client that breaks the protocol of control.h, exceeds
 * the guest's credit, or sends requests without reading the answers is disconnected.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "instance/control/control.h"
#include "streams.h"

G_BEGIN_DECLS

typedef struct BerthServer BerthServer;

typedef struct {
    void (*stop)(BerthStopHow how, guint grace_sec, gpointer user_data);
    /* Grow the disk to @size bytes; berth_server_grown reports the result. One at a time. */
    void (*grow)(guint64 size, gpointer user_data);
    /* Suspend the guest; berth_server_suspended reports the result. */
    void (*suspend)(gpointer user_data);
    /* Suspend the guest and park its memory; berth_server_parked reports the result. */
    void (*park)(gpointer user_data);
    /* A client is going to hold the guest and to save its memory: copy as much of that as can be
     * while it runs; berth_server_prepared reports the result. */
    void (*prepare)(gpointer user_data);
    /* No client will any more. */
    void (*unprepare)(gpointer user_data);
    /* A client holds the guest: have nothing write its disk; berth_server_held, or _suspended with
     * an error, reports the result. */
    void (*hold)(gpointer user_data);
    /* A client holds it no longer. */
    void (*release)(gpointer user_data);
    /* Save the memory of the guest, which the client holds, for the copy of its disk at @disk;
     * @flags: BerthSaveFlags. berth_server_saved reports the result. One at a time. */
    void (*save)(const char *disk, guint8 flags, gpointer user_data);
    /* The client waits for the file: berth_server_written reports the result. */
    void (*await)(gpointer user_data);
    /* It needs it no more. */
    void (*forget)(gpointer user_data);
    /* A client waits for the guest: wake it, if it is suspended. */
    void (*wake)(gpointer user_data);
    /* Keep the guest awake for @seconds (control.h). */
    void (*keep)(guint32 seconds, gpointer user_data);
    /* Free with berth_instance_status_free; g_ptr_array_unref. */
    BerthInstanceStatus *(*status)(gpointer user_data);
    GPtrArray *(*ports)(gpointer user_data);
    /* Add or remove the forward by @rule. */
    bool (*set_rule)(const BerthRule *rule, bool wanted, gpointer user_data, GError **error);
    /* Replace the registry's list of host ports the guest may reach; allow one more until it
     * stops. */
    bool (*set_host_ports)(const char *ports, gpointer user_data, GError **error);
    bool (*allow_host_port)(guint16 port, gpointer user_data, GError **error);
    /* As in CONTROL_SHARES_ARE; free with g_strfreev. */
    char **(*shares)(gpointer user_data);
    /* Replace the list of shares by the valid @shares (model/share.h). With *@ret_waits
     * berth_server_shares_settled follows within BERTH_SHARES_WAIT_SEC. */
    bool (*set_shares)(const char *const *shares, BerthSharesEffect *ret_effect, bool *ret_waits,
                       gpointer user_data, GError **error);
    /* Lines about the present shares that cannot be served, char *. Borrowed. */
    const GPtrArray *(*skipped_shares)(gpointer user_data);
    /* Borrowed. */
    const BerthBootReport *(*boot)(gpointer user_data);
    /* A client of this user's, the process @pid, opens a session. May be NULL. */
    void (*session_opened)(pid_t pid, gpointer user_data);
} BerthServerOps;

/* @listen_fd (taken) is a listening unix socket. @streams, in which each session has one, and @ops
 * must outlive the server. */
BerthServer *berth_server_new(int listen_fd, BerthStreams *streams, const BerthServerOps *ops,
                              gpointer user_data);
void berth_server_free(BerthServer *server);

/* Whether sessions can be opened; true answers the waiting clients. */
void berth_server_set_up(BerthServer *server, bool up);

/* The guest's agent answers: bare sessions, which wait for nothing else, can be opened. */
void berth_server_set_ready(BerthServer *server);

/* The grow has ended; @error is NULL on success. */
void berth_server_grown(BerthServer *server, const GError *error);

/* The guest is suspended; or it is not and will not be, because of @error, which clients that wait
 * for a hold get too. */
void berth_server_suspended(BerthServer *server, const GError *error);

/* Its memory is parked; or it is not and will not be, because of @error. */
void berth_server_parked(BerthServer *server, const GError *error);

/* The guest may be held now; or its memory cannot be saved because of @error. */
void berth_server_prepared(BerthServer *server, const GError *error);

/* The guest is held; @was_awake: it goes on at the release. */
void berth_server_held(BerthServer *server, bool was_awake);

/* The held guest may go on, and the file of its memory is written; or it will not be, because of
 * @error. @is_parked: its memory is in the guest's own parked file. */
void berth_server_saved(BerthServer *server, BerthSaved how, int lent, const GError *error);
/* The file is complete; or there is none because of @error. Whether a client waits for it. */
bool berth_server_written(BerthServer *server, const GError *error);

/* Whether a client holds the guest, or waits for that. */
bool berth_server_is_held(const BerthServer *server);

/* The guest uses the present shares; @effect, unless it is CURRENT, is the answer instead of each
 * client's own. */
void berth_server_shares_settled(BerthServer *server, BerthSharesEffect effect);

/* The guest has ended: every session and, unless @keep_waiting, every waiting client gets
 * @error. */
void berth_server_fail(BerthServer *server, const GError *error, bool keep_waiting);

/* The guest ended unasked: sessions that were not sent to it yet get @error and can be retried;
 * with
 * @asked also those that it has not begun. */
void berth_server_release(BerthServer *server, const GError *error, bool asked);

/* Answer all clients: DONE to those that asked for the stop, @error to the others. Flushes the
 * output for at most FINISH_DRAIN_MSEC. */
void berth_server_finish(BerthServer *server, const GError *error);

/* Send @line (without control codes) to sessions with a terminal. */
void berth_server_notify_terminals(BerthServer *server, const char *line);

/* Send @line (without control codes) to sessions and to clients that wait for the distro. */
void berth_server_notify_clients(BerthServer *server, const char *line);

/* The distro was paused or resumed: send @line (without control codes), the reason, to sessions and
 * waiting clients, and during the pause to each that joins them. @line may be NULL for a resume. */
void berth_server_set_paused(BerthServer *server, bool paused, const char *line);

/* Send the present @forwards (BerthForward*) to the watching clients. */
void berth_server_ports_changed(BerthServer *server, const GPtrArray *forwards);

guint berth_server_sessions(const BerthServer *server);

/* How many commands and requests the guest works on for someone who waits: sessions with a
 * terminal, those of the distro's programs, a grow, new shares. Not the guest's own programs (berth
 * mount, an ssh connection), which matter while they have data. */
guint berth_server_waited_for(const BerthServer *server);

G_END_DECLS

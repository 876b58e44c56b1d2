/* SPDX-License-Identifier: MIT
 *
 * server_private — shared by the server's two files only: server.c has clients and sessions,
 * server_requests.c the requests on stream 0.
 */
#pragma once

#include "acceptor.h"
#include "guest/link.h"
#include "server.h"

G_BEGIN_DECLS

typedef enum {
    NOT_ASKED,
    ASKED_WAIT,
    ASKED_STOP,
    ASKED_GROW,
    ASKED_WATCH,
    ASKED_SHARES,
    ASKED_SUSPEND,
    ASKED_PARK,
    ASKED_PREPARE,
    ASKED_HOLD,
    ASKED_SAVE,
    ASKED_WRITTEN,
} Asked;

typedef enum {
    NO_SESSION,
    EARLY_SESSION, /* buffered until the guest is ready */
    GUEST_SESSION, /* sent to the guest: has a stream */
} SessionState;

/* A client has at most one session or one unanswered request: berth_server_client_is_busy refuses a
 * second one. */
typedef struct {
    BerthServer *server;
    BerthLink *link;
    pid_t pid;       /* 0: of another user, or not known here */
    guint32 version; /* control protocol, from HELLO; 0 before it */
    Asked asked;
    bool prepares;            /* to hold the guest and save its memory */
    bool holds;               /* the guest; from ASKED_HOLD on */
    bool saves;               /* its memory, which it may wait for; from the answer on */
    BerthSharesEffect effect; /* for the answer to ASKED_SHARES */
    SessionState session;
    guint32 stream;                      /* of GUEST_SESSION in the guest */
    guint32 local;                       /* the client's stream number */
    bool opened;                         /* the guest has begun the session */
    bool bare;                           /* needs only the agent */
    bool tty;                            /* has a terminal */
    bool is_command;                     /* a program of the distro's, which its client waits for */
    bool more;                           /* MORE frames of OPEN follow */
    guint32 open_size;                   /* bytes of OPEN so far */
    WireCredit to_guest;                 /* what the client may still send */
    WireCredit to_client[WIRE_CHANNELS]; /* what the guest may still send */
    WireBuffer early;                    /* the frames of EARLY_SESSION */
} Client;

struct BerthServer {
    const BerthServerOps *ops;
    gpointer user_data;
    int listen_fd;
    BerthAcceptor *acceptor;
    GPtrArray *clients;    /* Client*, owned */
    BerthStreams *streams; /* borrowed */
    guint sessions;        /* open in the guest */
    bool ready;            /* for bare sessions */
    bool up;               /* for all sessions */
    char *paused;          /* the notice why the distro is paused; or NULL */
    bool growing;          /* even if the client that asked has disconnected */
};

/* Whether @client has a session or an unanswered request. */
bool berth_server_client_is_busy(const Client *client);

/* Answer the client's request with DONE; the second form answers ERROR with @error when @ok is
 * false, and always returns true. */
void berth_server_client_answer_done(Client *client);
bool berth_server_client_answer_result(Client *client, bool ok, const GError *error);

/* Answer CONTROL_SET_SHARES. */
void berth_server_client_answer_shares(Client *client, BerthSharesEffect effect);

/* Called when @client begins to wait: sends the notice of a pause, if there is one. */
void berth_server_client_notify_pause(Client *client);

/* Handle the request in @frame, on stream 0. False disconnects the client. */
bool berth_server_client_handle_request(Client *client, const WireFrame *frame);

G_END_DECLS

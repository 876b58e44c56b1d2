/* SPDX-License-Identifier: MIT
 *
 * server_private — what the two halves of the server share: server.c has the clients and their
 * sessions, server_requests.c what they ask of the keeper itself. Not for others.
 */
#pragma once

#include "acceptor.h"
#include "guest/link.h"
#include "server.h"

G_BEGIN_DECLS

typedef enum { NOT_ASKED, ASKED_WAIT, ASKED_STOP, ASKED_GROW, ASKED_WATCH } Asked;

typedef enum {
    NO_SESSION,
    EARLY_SESSION, /* kept until the guest can take it */
    GUEST_SESSION, /* the guest was asked for it: in BerthServer.sessions by its stream */
} SessionState;

/* A client has a session or a request that is not answered yet or neither, never both: each has its
 * own member, and what would begin a second one is refused (berth_client_is_busy). */
typedef struct {
    BerthServer *server;
    BerthLink *link;
    guint32 version; /* of the control protocol, by its HELLO; 0 before that */
    Asked asked;
    SessionState session;
    guint32 stream;                      /* of GUEST_SESSION in the guest */
    guint32 local;                       /* the client's own number for it */
    bool opened;                         /* the guest has begun the session */
    bool bare;                           /* it waits for nothing of the distro */
    bool tty;                            /* it has a terminal */
    bool more;                           /* OPEN goes on */
    guint32 open_size;                   /* bytes of it so far */
    WireCredit to_guest;                 /* what the client may still send */
    WireCredit to_client[WIRE_CHANNELS]; /* what the guest may still send */
    WireBuffer early;                    /* the frames of EARLY_SESSION */
} Client;

struct BerthServer {
    const BerthServerOps *ops;
    gpointer user_data;
    int listen_fd;
    BerthAcceptor *acceptor;
    GPtrArray *clients;   /* Client*, owned */
    GHashTable *sessions; /* stream -> Client*, borrowed */
    bool ready;           /* for bare sessions */
    bool up;              /* for all */
    char *paused;         /* why the distro stands still, a line; or NULL */
    bool growing;         /* whether or not the client that asked is still there */
};

/* Whether it has a session, or a request that is not answered yet. */
bool berth_client_is_busy(const Client *client);

/* The end of the client's request, or of its session: each client has one of them at most. The
 * second is done, or with @ok false fails with @error; always true. */
void berth_client_answer_done(Client *client);
bool berth_client_answer_result(Client *client, bool ok, const GError *error);

/* The client begins to wait for the distro: tell it if that is paused. */
void berth_client_notify_pause(Client *client);

/* Do what @frame, on stream 0, asks for. False refuses the client. */
bool berth_client_handle_request(Client *client, const WireFrame *frame);

G_END_DECLS

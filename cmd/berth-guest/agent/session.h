/* SPDX-License-Identifier: MIT
 *
 * session — one command the host has asked for: its process, its streams, their credit.
 *
 * From OPEN to EXIT or FAILED (lib/wire/wire.h). The states, each reached from the one before:
 *
 *     starting  the child waits for its user's login session (logins.h) and prepares itself; DATA
 *               for it is kept, nothing is read from it
 *     running   OPENED was sent; bytes flow as credit and the queue to the host allow
 *     ended     the command has ended; what its pipes held at that moment is still sent
 *     finished  EXIT or FAILED was sent; the stream number means nothing any more
 *
 * A child the command leaves behind may keep its pipes or its terminal open for ever. Nobody waits
 * for that: the end is the command's own, what they hold then is still delivered, and what comes
 * later is read and dropped, so that such a child is not killed by SIGPIPE for having printed a
 * line. Only when it has gone, too, is a finished session gone.
 */
#pragma once

#include "logins.h"
#include "spawn.h"

#include "os/loop.h"
#include "wire/wire.h"

/* Sessions stop reading from their commands while this much waits for the host. */
#define SESSION_QUEUE_MAX (256u * 1024u)

typedef struct Session Session;

/* What all sessions share. Borrowed by each. */
typedef struct {
    Loop *loop;
    WireBuffer *out;     /* to the host */
    const char *user;    /* the registered default one; "" is the agent's own */
    Logins *logins;      /* NULL: there are none */
    struct rlimit files; /* for commands */
    mode_t umask;        /* for commands */
    bool waiting;        /* some output wants to send and found no room: session_resume it */
} SessionHost;

/* Start what the OPEN asks for; its payload may be that of several frames (opening.h). NULL when
 * there is nothing to keep: FAILED was put. */
Session *session_open(SessionHost *host, const WireFrame *frame);

/* FAILED for an OPEN: SESSION_MALFORMED when it breaks the protocol. */
#define SESSION_MALFORMED "malformed request to start a command"
void session_refuse(SessionHost *host, uint32_t stream, const char *message);

/* A frame on the session's stream other than OPEN. One that breaks the protocol kills the command.
 */
void session_frame(Session *session, const WireFrame *frame);

/* The process has ended with this wait status. */
void session_exited(Session *session, int wait_status);

/* The login session of @uid has opened, or will not: a command that waits for it goes on. */
void session_login(Session *session, uid_t uid, const Login *login);

/* The queue to the host has room again. */
void session_resume(Session *session);

/* The client is gone: SIGHUP, streams closed. EXIT is still put when the command ends. */
void session_hang_up(Session *session);

/* The host is gone: as hang-up, and never put another frame. */
void session_abandon(Session *session);

/* SIGKILL to the command and its process group. */
void session_kill(Session *session);

uint32_t session_stream(const Session *session);
pid_t session_pid(const Session *session);

/* Whether frames with its stream number are for it. */
bool session_is_open(const Session *session);

/* Whether it can be freed: finished, and its descriptors closed. */
bool session_is_gone(const Session *session);
void session_free(Session *session);

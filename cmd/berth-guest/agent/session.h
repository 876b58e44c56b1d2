/* SPDX-License-Identifier: MIT
 *
 * session — a command of the host: its process, its streams and their credit.
 *
 * From OPEN to EXIT or FAILED (lib/wire/wire.h). The states, each reached from the one before:
 *
 *     starting  the child waits for its user's login session (logins.h) and prepares; DATA is
 *               queued, output is not read
 *     running   OPENED was sent; bytes flow as credit and the queue to the host allow
 *     ended     the command has ended; the bytes in its pipes at that moment are still sent
 *     finished  EXIT or FAILED was sent; the stream number is free
 *
 * A background process of the command may keep its pipes or its terminal open for ever. The session
 * does not wait for it: it ends with the command, delivers the bytes buffered then, and reads and
 * drops later output, so that SIGPIPE does not kill such a process. A finished session is freed
 * once that process has closed them, too.
 */
#pragma once

#include "logins.h"
#include "spawn.h"
#include "ssh_agent.h"

#include "os/loop.h"
#include "wire/wire.h"

/* Sessions stop reading from their commands while this many bytes are queued for the host. */
#define SESSION_QUEUE_MAX (256u * 1024u)

typedef struct Session Session;

/* Shared by all sessions, which borrow it. */
typedef struct {
    Loop *loop;
    WireBuffer *out;           /* to the host */
    const char *user;          /* the registered default user; "": the agent's own */
    Logins *logins;            /* NULL: the distro has no login sessions */
    int group;                 /* directory of the control group of commands without one; or -1 */
    const SshAgent *ssh_agent; /* becomes the default user's; or NULL */
    const SshAgent *gpg_agent; /* the same */
    struct rlimit files;       /* for commands */
    mode_t umask;              /* for commands */
    bool waiting;              /* an output stopped because `out` is full: call session_resume */
} SessionHost;

/* Start the command of an OPEN, reassembled by opening.h. NULL: it failed, and FAILED was sent. */
Session *session_open(SessionHost *host, const WireFrame *frame);

/* Answer an OPEN with FAILED; SESSION_MALFORMED is the message for a protocol error. */
#define SESSION_MALFORMED "malformed request to start a command"
void session_refuse(SessionHost *host, uint32_t stream, const char *message);

/* Handle a frame of the session's stream other than OPEN. A protocol error kills the command. */
void session_frame(Session *session, const WireFrame *frame);

/* The command's process was reaped with @wait_status. */
void session_exited(Session *session, int wait_status);

/* The login session of @uid has opened or failed: release the command if it waits for that. */
void session_login(Session *session, uid_t uid, const Login *login);

/* Resume reading: the queue to the host has space again. */
void session_resume(Session *session);

/* The client disconnected: send SIGHUP and close the streams. EXIT still follows. */
void session_hang_up(Session *session);

/* The host disconnected: as session_hang_up, and send no further frame. */
void session_abandon(Session *session);

/* SIGKILL to the command and its process group. */
void session_kill(Session *session);

uint32_t session_stream(const Session *session);
pid_t session_pid(const Session *session);

/* Whether the session still owns its stream number. */
bool session_is_open(const Session *session);

/* Whether it may be freed: finished, and its descriptors are closed. */
bool session_is_gone(const Session *session);
void session_free(Session *session);

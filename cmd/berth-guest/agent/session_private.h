/* SPDX-License-Identifier: MIT
 *
 * session_private — shared by the parts of a session: states (session.c), output of the command
 * (session_output.c) and its input (session_input.c).
 */
#pragma once

#include "session.h"

#include <stddef.h>
#include <sys/types.h>

typedef struct {
    Session *session;
    Source source;
    WireChannel channel;
    WireCredit credit; /* granted by the host */
    size_t tail;       /* bytes still to send after the command's end */
    bool terminal;     /* a terminal, not a pipe */
    bool ended;        /* EOF was sent; further bytes are dropped */
} Output;

typedef struct {
    Session *session;
    Source source;
    WireBuffer queue;  /* from the host, not yet written to the command */
    WireCredit credit; /* granted to the host */
    bool terminal;     /* a terminal, not a pipe */
    bool eof;          /* nothing follows the queue */
    uint64_t received; /* bytes from the host */
    uint64_t dropped;  /* of these, bytes the command can no longer read */
    int probe;         /* read end of the pipe, open after its write end is closed; or -1 */
    bool unknown;      /* the number of unread bytes in the pipe is not known */
} Input;

struct Session {
    SessionHost *host;
    uint32_t stream;
    pid_t pid;
    uid_t uid;
    int barrier;    /* the command waits for its login session: spawn_admit; or -1 */
    bool running;   /* OPENED was sent */
    bool reaped;    /* wait_status is valid; pid may be reused */
    bool finished;  /* EXIT or FAILED was sent */
    bool abandoned; /* send no further frame */
    int wait_status;
    bool answers;             /* acknowledge SIGNAL frames */
    uint64_t pending_signals; /* bit n-1: signal n arrived while starting */
    char *warning;            /* for the user, or NULL */
    Source status;
    Input input;
    int terminal; /* index of the terminal's output, or -1 */
    Output outputs[WIRE_CHANNELS];
};

/* Queue a frame on the session's stream, unless the session is abandoned. */
void session_put(Session *session, WireType type, WireChannel channel, const void *payload,
                 size_t size);

/* Advance the state as far as possible. */
void session_advance(Session *session);

/* Takes @fd; -1: the command has no such output. */
void output_init(Output *output, Session *session, WireChannel channel, int fd, bool terminal);

/* Watch for output while credit and the queue to the host allow. */
void output_watch(Output *output);

/* Resume after new credit, new room, or the end of the command. */
void output_continue(Output *output);

/* The command has ended: set the tail to the bytes its pipe or terminal holds now. */
void output_measure_tail(Output *output);

/* Send EOF and close the descriptor: the command gets SIGPIPE, or EIO from a terminal. */
void output_close(Output *output);

void input_init(Input *input, Session *session, int fd, bool terminal);

/* Write the queue to the command as far as it does not block. */
void input_flush(Input *input);

/* The command closed its input: drop the queue, but return its credit to the client. */
void input_drop(Input *input);
void input_close(Input *input);

/* How many bytes the command has read. False: not known. */
bool input_consumed(const Input *input, uint64_t *ret_consumed);

/* Close the probe, which input_close leaves open. */
void input_free(Input *input);

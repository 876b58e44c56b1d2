/* SPDX-License-Identifier: MIT
 *
 * session_private — what the parts of a session share: its life (session.c), what its command
 * writes (session_output.c) and reads (session_input.c).
 */
#pragma once

#include "session.h"

#include <stddef.h>
#include <sys/types.h>

typedef struct {
    Session *session;
    Source source;
    WireChannel channel;
    WireCredit credit; /* ours to spend */
    size_t tail;       /* bytes still to send once the command has ended */
    bool terminal;     /* what a terminal shows, not a pipe */
    bool ended;        /* EOF was put; what comes is dropped */
} Output;

typedef struct {
    Session *session;
    Source source;
    WireBuffer queue;  /* from the host, not yet taken by the command */
    WireCredit credit; /* the host's to spend */
    bool terminal;     /* keys, not a pipe */
    bool eof;          /* nothing follows the queue */
    uint64_t received; /* bytes of the host */
    uint64_t dropped;  /* of these, which the command can no longer read */
    int probe;         /* the command's end of a pipe of which ours is closed; or -1 */
    bool unknown;      /* what it left in that pipe cannot be asked */
} Input;

struct Session {
    SessionHost *host;
    uint32_t stream;
    pid_t pid;
    uid_t uid;
    int gate;       /* the command waits for its login session: spawn_admit; or -1 */
    bool running;   /* OPENED was put */
    bool reaped;    /* wait_status is known and pid is no longer ours */
    bool finished;  /* EXIT or FAILED was put */
    bool abandoned; /* put nothing more */
    int wait_status;
    bool answers;             /* SIGNAL goes back when it was taken */
    uint64_t pending_signals; /* bit n-1: signal n came while starting */
    char *warning;            /* for the user, or NULL */
    Source status;
    Input input;
    int terminal; /* which output is the terminal's, or -1 */
    Output outputs[WIRE_CHANNELS];
};

/* Put a frame on the session's stream, unless nobody is there. */
void session_put(Session *session, WireType type, WireChannel channel, const void *payload,
                 size_t size);

/* Go on to whatever state the facts allow. */
void session_advance(Session *session);

/* Take @fd, which may be -1: then the command has no such output. */
void output_init(Output *output, Session *session, WireChannel channel, int fd, bool terminal);

/* Read as credit and the queue to the host allow. */
void output_watch(Output *output);

/* The same after credit, room or the end of the command. */
void output_continue(Output *output);

/* The command has ended: what its pipe or terminal holds now is its own, what comes later is not.
 */
void output_measure_tail(Output *output);

/* EOF is put; the command finds that nobody reads. */
void output_close(Output *output);

void input_init(Input *input, Session *session, int fd, bool terminal);

/* Give the command what it takes of the queue. */
void input_flush(Input *input);

/* The command takes no more input: drop it, but keep the client's credit going. */
void input_drop(Input *input);
void input_close(Input *input);

/* How many bytes the command has read; false when that is not known. */
bool input_taken(const Input *input, uint64_t *ret_taken);

/* Close what is left open after input_close. */
void input_free(Input *input);

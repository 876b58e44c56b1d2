/* SPDX-License-Identifier: MIT
 *
 * call — one call of the host, from this process's standard streams (lib/wire/wire.h).
 *
 * Blocks until the call ends. Input is read only once the host has said OPENED, so that a refused
 * call takes none. A standard stream that blocks delays only itself: signals still reach the
 * command.
 */
#pragma once

#include "tty.h"

#include "wire/wire.h"

#define CALL_STREAM 1u /* any: the agent changes it */

enum { CALL_BERTH = 125, CALL_NOT_EXECUTABLE = 126 };

typedef struct {
    int fd; /* the connection to the agent */
    const Tty *tty;
    WireBuffer out; /* begins with CALL */
    WireBuffer in;
    bool opened;
    bool over;
    int status;
    WireCredit input;                  /* granted by the host */
    bool input_ended;                  /* EOF was sent, or is not to be */
    WireCredit credits[WIRE_CHANNELS]; /* granted to the host */
    WireBuffer queues[WIRE_CHANNELS];  /* of its output */
    bool closed[WIRE_CHANNELS];        /* our reader has gone: what comes is dropped */
} CallSession;

/* Run the call whose first frames are in @session's `out`; takes its fd. Problems are printed with
 * @name in front. Returns the exit status. */
int call_run(CallSession *session, const char *name);

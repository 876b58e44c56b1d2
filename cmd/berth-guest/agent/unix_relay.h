/* SPDX-License-Identifier: MIT
 *
 * unix_relay — streams of the host that end at a unix socket of the distro, rather than at a
 * command: a client of the host's speaks to a daemon in the guest as if it were there.
 *
 * From CONNECT to EXIT or FAILED (lib/wire/wire.h). Both directions end on their own, as those of a
 * socket do; the stream is over when both have, or when the socket breaks. The agent connects as
 * root, so that no group of the distro decides who may.
 */
#pragma once

#include "os/loop.h"
#include "wire/wire.h"

typedef struct Relay Relay;

/* All there are. Initialise loop and out, which are borrowed. */
typedef struct {
    Loop *loop;
    WireBuffer *out; /* to the host */
    bool waiting;    /* some socket has more, and there was no room for it: relays_resume */
    Relay **list;
    size_t count;
} Relays;

/* Whether @frame, of a stream that is no session's, was for a relay: CONNECT makes one. A frame
 * that breaks the protocol ends its stream. */
bool relays_frame(Relays *relays, const WireFrame *frame);

/* The queue to the host has room again. */
void relays_resume(Relays *relays);

/* The host is gone: close everything, put nothing. */
void relays_abandon(Relays *relays);

/* Free those that are over; between turns of the loop. */
void relays_sweep(Relays *relays);
void relays_clear(Relays *relays);

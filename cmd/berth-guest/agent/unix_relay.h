/* SPDX-License-Identifier: MIT
 *
 * unix_relay — streams that connect a client on the host to a unix socket in the distro, such as a
 * daemon's.
 *
 * From CONNECT to EXIT or FAILED (lib/wire/wire.h). Each direction half-closes on its own; the
 * stream ends when both have closed, or when the socket fails. The agent connects as root: the
 * distro's groups do not restrict access.
 */
#pragma once

#include "os/loop.h"
#include "wire/wire.h"

typedef struct Relay Relay;

/* All relays. Initialise loop and out, which are borrowed. */
typedef struct {
    Loop *loop;
    WireBuffer *out; /* to the host */
    bool waiting;    /* a relay stopped reading because `out` is full: call relays_resume */
    Relay **list;
    size_t count;
} Relays;

/* Handle @frame of a stream without a session; CONNECT creates a relay. False: the frame is for no
 * relay. A protocol error ends its stream. */
bool relays_frame(Relays *relays, const WireFrame *frame);

/* Resume reading: `out` has room again. */
void relays_resume(Relays *relays);

/* The host disconnected: close all relays without a frame. */
void relays_abandon(Relays *relays);

/* Free relays that have ended. Call between turns of the loop. */
void relays_sweep(Relays *relays);
void relays_clear(Relays *relays);

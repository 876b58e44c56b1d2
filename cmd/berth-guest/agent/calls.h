/* SPDX-License-Identifier: MIT
 *
 * calls — programs of the distro that use a service of the host (lib/wire/wire.h: CALL).
 *
 * Such a program (berth-host) connects to a unix socket and sends the frames of one call, with any
 * stream number; they are passed on as a stream that the agent chooses, and the host's answers come
 * back. Credit is end to end. Only root and the distro's default user may; whether the host allows
 * it, the host decides.
 */
#pragma once

#include "ssh_agent.h"

#include "os/loop.h"
#include "wire/wire.h"

#define CALLS_SOCKET "/run/berth/host"

typedef struct Call Call;

/* All calls. Initialise loop, out and user, which are borrowed. */
typedef struct {
    Loop *loop;
    WireBuffer *out;         /* to the host */
    const char *const *user; /* the registered default user; "": the agent's own */
    bool waiting;            /* a call stopped reading because `out` is full: call calls_resume */
    Source listener;
    SshAgent ssh_agent, gpg_agent;
    uint32_t last; /* stream, without WIRE_GUEST_STREAM */
    Call **list;
    size_t count;
} Calls;

/* Listen at @path, and for ssh agents beside it, replacing what is there. 0, or -errno. */
int calls_listen(Calls *calls, const char *path);

/* Handle @frame of the host, of a stream with WIRE_GUEST_STREAM. */
void calls_frame(Calls *calls, const WireFrame *frame);

/* Resume reading: `out` has room again. */
void calls_resume(Calls *calls);

/* The host disconnected: close all connections without a frame. */
void calls_abandon(Calls *calls);

/* Free calls that have ended. Call between turns of the loop. */
void calls_sweep(Calls *calls);
void calls_clear(Calls *calls);

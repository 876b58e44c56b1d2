/* SPDX-License-Identifier: MIT
 *
 * guest_output — one output of a session: what the guest sends on a channel, written to a
 * descriptor as fast as its reader reads. Bounded by the credit that the guest gets back for it.
 *
 * Frames for the guest (CREDIT, EOF) are appended to @frames, on BERTH_SESSION_STREAM.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>
#include <poll.h>

G_BEGIN_DECLS

typedef struct {
    WireChannel channel; /* WIRE_STDIN: what a terminal shows */
    int fd;              /* borrowed, may be blocking; -1: discard */
    WireBuffer waiting;
    WireCredit credit; /* what the guest may still send */
    bool nonblocking;  /* fd cannot block, and takes as much as it can at once */
    bool broken;       /* EPIPE: the reader has gone */
} BerthGuestOutput;

#define BERTH_GUEST_OUTPUT_INIT(number, descriptor)                                                \
    {                                                                                              \
        .channel = (number), .fd = (descriptor), .credit = WIRE_CREDIT_INIT                        \
    }

void berth_guest_output_clear(BerthGuestOutput *output);

/* Keep the payload of DATA until it can be written. False: the guest exceeded its credit. */
bool berth_guest_output_append(BerthGuestOutput *output, const WireFrame *frame,
                               WireBuffer *frames);
bool berth_guest_output_waits(const BerthGuestOutput *output);

/* The descriptor and events to poll, while the command is @running or after its end; then pass the
 * returned events to berth_guest_output_serve. */
struct pollfd berth_guest_output_poll(const BerthGuestOutput *output, bool running);
void berth_guest_output_serve(BerthGuestOutput *output, short revents, WireBuffer *frames);

G_END_DECLS

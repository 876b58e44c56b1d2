/* SPDX-License-Identifier: MIT
 *
 * host_channel — the connection to the host: the virtio port, or in tests an inherited stream
 * socket. The descriptor is non-blocking; `in` and `out` buffer the bytes.
 *
 * The port cannot be opened twice at once: PID 1 opens it, and the agent inherits the Channel with
 * its buffered bytes across the fork.
 */
#pragma once

#include "wire/wire.h"

#include <stdbool.h>

typedef struct {
    int fd;
    bool is_port; /* a port: the host may disconnect and reconnect */
    WireBuffer in;
    WireBuffer out;
    bool is_held;  /* channel_hold */
    size_t before; /* bytes of `out` that were there before the hold */
} Channel;

/* Find and open the virtio port WIRE_PORT_NAME; waits at most @timeout_msec for its uevent. 0,
 * -ENOENT when there is none, or -errno. */
int channel_open_port(Channel *channel, int timeout_msec);

/* Use the socket @fd. 0, or -errno. */
int channel_use_socket(Channel *channel, int fd);

/* Read available bytes, up to about 64 KiB. Returns the number read; 0: the host disconnected;
 * -EAGAIN: nothing available; or -errno. */
int channel_fill(Channel *channel);

/* Write without blocking; the rest stays in `out`. 0, or -errno, never -EAGAIN. */
int channel_flush(Channel *channel);

/* Write no more than `out` has now, whatever is added to it, until channel_release: a machine that
 * stands still shall have no part of a frame on its way. */
void channel_hold(Channel *channel);
void channel_release(Channel *channel);

/* How many bytes channel_flush may write. */
size_t channel_pending(const Channel *channel);

/* Write all of `out`. 0; -ETIMEDOUT when the host did not read it in time; or -errno. */
int channel_drain(Channel *channel, int timeout_msec);

/* Wait at most @timeout_msec for the next frame. As wire_frame_peek, or -ETIMEDOUT. PID 1, which
 * has no loop, calls it. */
int channel_wait_frame(Channel *channel, int timeout_msec, WireFrame *ret_frame);

/* Drop all buffered bytes. */
void channel_reset(Channel *channel);

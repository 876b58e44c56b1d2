/* SPDX-License-Identifier: MIT
 *
 * host_channel — the one connection to the host: the virtio port, or a stream socket given by
 * whoever started the agent. Bytes wait in `in` and `out`; the descriptor never blocks.
 *
 * The port cannot be opened twice at once, so PID 1 opens it and the agent inherits the whole
 * Channel, with what has been read and not yet written, when it is forked.
 */
#pragma once

#include "wire/wire.h"

#include <stdbool.h>

typedef struct {
    int fd;
    bool is_port; /* the host's end can go away and come back */
    WireBuffer in;
    WireBuffer out;
} Channel;

/* Find and open the virtio port named WIRE_PORT_NAME, waiting for the kernel to announce it for at
 * most @timeout_msec. 0, -ENOENT when there is none, or -errno. */
int channel_open_port(Channel *channel, int timeout_msec);

/* Use the socket @fd. 0, or -errno. */
int channel_use_socket(Channel *channel, int fd);

/* Read what there is, up to some 64 KiB. Bytes read; 0 when the host's end is gone; -EAGAIN when
 * there is nothing; or -errno. */
int channel_fill(Channel *channel);

/* Write what the host takes. 0, or -errno; never -EAGAIN: see what is left in `out`. */
int channel_flush(Channel *channel);

/* Write all that waits, whatever has come in. 0; -ETIMEDOUT when the host did not take it in time;
 * -errno. */
int channel_drain(Channel *channel, int timeout_msec);

/* The next frame, read within @timeout_msec. As wire_frame_peek, or -ETIMEDOUT. For PID 1, which
 * has no loop. */
int channel_wait_frame(Channel *channel, int timeout_msec, WireFrame *ret_frame);

/* Drop all bytes that wait. */
void channel_reset(Channel *channel);

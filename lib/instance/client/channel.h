/* SPDX-License-Identifier: MIT
 *
 * channel — the client's blocking end of a keeper connection: frames in, frames out.
 *
 * Initialise with {.fd = fd}; the fd stays the caller's. g_auto clears the buffers.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    int fd;
    WireBuffer input;
    WireBuffer output;
    size_t consumed;    /* bytes of the frame returned last */
    bool expects_hello; /* the next frame must be the keeper's HELLO_IS */

    /* Polled several times a second during a wait; false ends it. May be NULL. */
    bool (*goes_on)(gpointer user_data);
    gpointer user_data;
} BerthChannel;

void berth_channel_clear(BerthChannel *channel);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthChannel, berth_channel_clear)

/* Begin a call: put HELLO (instance/control/hello.h) into the output. The first frame received must
 * be the keeper's HELLO_IS and is not returned; next and receive fail with "instance.version"
 * otherwise. */
void berth_channel_begin(BerthChannel *channel);

/* Write all of the output, or what can be written now. Errors: BERTH_ERROR_GUEST,
 * "instance.lost". */
bool berth_channel_send(BerthChannel *channel, GError **error);
bool berth_channel_flush(BerthChannel *channel, GError **error);

/* The next frame, waiting for it; valid until the next call.
 * Errors: BERTH_ERROR_GUEST, "instance.lost"; BERTH_ERROR_PROTOCOL, "wire.frame";
 * BERTH_ERROR_CANCELLED, "instance.cancelled" by goes_on. */
bool berth_channel_receive(BerthChannel *channel, WireFrame *ret_frame, GError **error);

/* The two halves of receive, for callers with their own poll loop: fill reads once (call it when
 * the fd is readable); next returns 1 with a complete frame, 0 without one, or -1 with @error. */
bool berth_channel_fill(BerthChannel *channel, GError **error);
int berth_channel_next(BerthChannel *channel, WireFrame *ret_frame, GError **error);

G_END_DECLS

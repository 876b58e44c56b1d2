/* SPDX-License-Identifier: MIT
 *
 * hold — lets a client settle changes of an overlay (review.h) that a server has claimed.
 *
 * The server listens at DIR/hold. A client that connects is sent BERTH_OVERLAY_HELD once the server
 * handles no request and has ended its claim. The client claims the overlay, settles changes,
 * records them (settled.h), ends its claim and shuts its end of the connection down; so does its
 * death. The server claims the overlay again, and sends BERTH_OVERLAY_SHOWN when those that it
 * serves see what was settled.
 */
#pragma once

#include "overlay.h"

G_BEGIN_DECLS

#define BERTH_OVERLAY_HELD  'h'
#define BERTH_OVERLAY_SHOWN 's'

/* ---- the server's ---- */

/* A listening socket, for the process that has the claim; or -errno. */
int berth_overlay_listen(const BerthOverlay *overlay);

/* Send @byte to the client @fd. False: it has gone. */
bool berth_overlay_send(int fd, char byte);

/* ---- the client's ---- */

/* Have the server hold the overlay; returns the connection. Errors: "overlay.busy" if there is no
 * such server, or it does not hold it within some seconds. */
int berth_overlay_hold(const BerthOverlay *overlay, GError **error);

/* The client's claim has ended: let the server go on. */
void berth_overlay_let_go(int fd);

/* Wait some seconds for BERTH_OVERLAY_SHOWN. */
bool berth_overlay_await_shown(int fd);

G_END_DECLS

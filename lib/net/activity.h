/* SPDX-License-Identifier: MIT
 *
 * activity — counts the frames by which the guest's network is in use, and says when a guest can be
 * suspended without leaving a peer in the midst of an exchange.
 *
 * A frame for the guest counts if it would wake a suspended guest (wake.h). A frame of the guest's
 * counts if it is TCP or UDP and has data, or begins or ends a connection: a guest that looks up an
 * address does not use its network yet.
 *
 * A peer that has sent data to a guest, and has nothing back yet, waits for an answer. It may have
 * sent all it had, so no frame of its would wake a guest that is suspended before it answers. So a
 * suspend waits until all these answers are out, but not for one that takes longer than
 * BERTH_ACTIVITY_ANSWER_USEC; and until no frame has counted for BERTH_ACTIVITY_QUIET_USEC, since
 * an answer has several.
 *
 * No allocation, fixed size; times are usec of a monotonic clock.
 */
#pragma once

#include "packet.h"

G_BEGIN_DECLS

#define BERTH_ACTIVITY_QUIET_USEC  (G_USEC_PER_SEC / 4)
#define BERTH_ACTIVITY_ANSWER_USEC (5 * G_USEC_PER_SEC)
#define BERTH_ACTIVITY_PEERS_MAX   64

/* A peer that waits for an answer. */
typedef struct {
    guint8 family; /* 4 or 6; 0: unused */
    guint8 protocol;
    guint16 guest_port;
    guint16 port;
    guint8 address[16];
    gint64 since_usec; /* its last data */
} BerthActivityPeer;

typedef struct {
    guint64 frames; /* that counted */
    gint64 last_usec;
    BerthActivityPeer peers[BERTH_ACTIVITY_PEERS_MAX]; /* the one that waits longest is replaced */
} BerthActivity;

/* A frame for the guest, or of the guest's, whatever its bytes. True: it counts. */
bool berth_activity_to_guest(BerthActivity *activity, const guint8 *frame, gsize size,
                             gint64 now_usec);
bool berth_activity_from_guest(BerthActivity *activity, const guint8 *frame, gsize size,
                               gint64 now_usec);

/* How long a suspend has to wait if no frame comes meanwhile; 0: it need not. An answer may make it
 * shorter. */
gint64 berth_activity_wait(const BerthActivity *activity, gint64 now_usec);

G_END_DECLS

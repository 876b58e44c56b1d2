/* SPDX-License-Identifier: MIT
 *
 * wake — decides which frames for the guest wake it while it is suspended.
 *
 * A frame wakes the guest if its sender waits for an answer or sends data: TCP segments with SYN,
 * FIN or data, and datagrams. So do the ARP request and the neighbour solicitation that libslirp
 * sends first when it does not know the guest's station. All others can wait for the next wake:
 * bare acknowledgements, resets, ICMP, and answers to the guest's own ARP and neighbour discovery.
 *
 * Pure: no state, no allocation, never reads outside the frame.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Whether the @size bytes of @frame, made by libslirp for the guest, wake it. */
bool berth_wake_frame(const guint8 *frame, gsize size);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * carrier_link — what the agent and the carrier of the shares say to each other, over a
 * SOCK_SEQPACKET socket. The carrier's end is its end.
 */
#pragma once

#include <stdint.h>

typedef enum {
    /* To the carrier. */
    CARRIER_HOLD = 1, /* send the host no more requests; CARRIER_HELD is the answer */
    CARRIER_RELEASE,  /* go on; none to a CARRIER_HOLD that was not answered yet */
    /* From the carrier. */
    CARRIER_HELD,  /* no request is under way but those that the next server may be asked again, and
                      the host has read all that it was sent */
    CARRIER_LOST,  /* the host's server has ended, and the port is ready for another */
    CARRIER_FOUND, /* one has connected */
} CarrierWord;

typedef struct {
    uint32_t word;
    uint32_t number; /* the caller's, of CARRIER_HOLD and its answer; else 0 */
} CarrierMessage;

/* SPDX-License-Identifier: MIT
 *
 * opening — puts an OPEN that takes several frames together (WIRE_OPEN_MORE in lib/wire/wire.h).
 *
 * Keeps the parts of each stream until the last has come, WIRE_OPEN_MAX bytes at most.
 * Zero-initialise; openings_clear frees.
 */
#pragma once

#include "wire/wire.h"

typedef struct {
    uint32_t stream;
    WireBuffer payload;
} Opening;

typedef struct {
    Opening *list;
    size_t count;
} Openings;

typedef enum {
    OPENING_NOT,    /* the frame is for somebody else */
    OPENING_PART,   /* it was kept, or ended what was kept */
    OPENING_WHOLE,  /* the OPEN is complete */
    OPENING_BROKEN, /* it breaks the protocol, or is too much: what was kept of the stream is gone
                     */
} OpeningResult;

/* A frame of a stream that has no session. WHOLE sets @ret_open, whose payload may be larger than
 * that of a frame; it is borrowed until the next call or openings_forget, which is due then. */
OpeningResult openings_take(Openings *openings, const WireFrame *frame, WireFrame *ret_open);
void openings_forget(Openings *openings, uint32_t stream);
void openings_clear(Openings *openings);

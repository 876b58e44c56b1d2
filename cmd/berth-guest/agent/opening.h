/* SPDX-License-Identifier: MIT
 *
 * opening — reassembles an OPEN that spans several frames (WIRE_OPEN_MORE in lib/wire/wire.h).
 *
 * Buffers the parts of each stream until the last arrives, at most WIRE_OPEN_MAX bytes.
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
    OPENING_NOT,    /* the frame belongs to no OPEN */
    OPENING_PART,   /* buffered, or CLOSE dropped the buffered parts */
    OPENING_WHOLE,  /* the OPEN is complete */
    OPENING_BROKEN, /* protocol error or too large: the buffered parts are dropped */
} OpeningResult;

/* Handle a frame of a stream that has no session. WHOLE sets @ret_open, whose payload may be larger
 * than a frame's and is borrowed until openings_forget, which the caller owes then. */
OpeningResult openings_handle(Openings *openings, const WireFrame *frame, WireFrame *ret_open);
void openings_forget(Openings *openings, uint32_t stream);
void openings_clear(Openings *openings);

/* SPDX-License-Identifier: MIT */
#include "opening.h"

#include <stdlib.h>

static Opening *find(Openings *openings, uint32_t stream)
{
    for (size_t i = 0; i < openings->count; i++)
        if (openings->list[i].stream == stream)
            return &openings->list[i];
    return NULL;
}

static Opening *add(Openings *openings, uint32_t stream)
{
    Opening *grown = realloc(openings->list, (openings->count + 1) * sizeof(*grown));
    if (grown == NULL)
        return NULL;
    openings->list = grown;
    grown[openings->count] = (Opening){.stream = stream};
    return &grown[openings->count++];
}

void openings_forget(Openings *openings, uint32_t stream)
{
    Opening *opening = find(openings, stream);
    if (opening == NULL)
        return;
    wire_buffer_clear(&opening->payload);
    *opening = openings->list[--openings->count];
}

void openings_clear(Openings *openings)
{
    for (size_t i = 0; i < openings->count; i++)
        wire_buffer_clear(&openings->list[i].payload);
    free(openings->list);
    *openings = (Openings){0};
}

/* Buffer the payload. False: it exceeds WIRE_OPEN_MAX. */
static bool keep(Opening *opening, const WireFrame *frame)
{
    if (opening == NULL || wire_buffer_size(&opening->payload) + frame->size > WIRE_OPEN_MAX)
        return false;
    wire_buffer_append(&opening->payload, frame->payload, frame->size);
    return !opening->payload.failed;
}

static OpeningResult begin(Openings *openings, const WireFrame *frame, WireFrame *ret_open)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    if ((wire_get_u32(&reader) & WIRE_OPEN_MORE) == 0) {
        *ret_open = *frame;
        return OPENING_WHOLE;
    }
    return keep(add(openings, frame->stream), frame) ? OPENING_PART : OPENING_BROKEN;
}

static OpeningResult go_on(Opening *opening, const WireFrame *frame, WireFrame *ret_open)
{
    if (frame->type != WIRE_MORE || !keep(opening, frame))
        return OPENING_BROKEN;
    if (frame->size == WIRE_PAYLOAD_MAX)
        return OPENING_PART;
    *ret_open = (WireFrame){.type = WIRE_OPEN,
                            .stream = opening->stream,
                            .payload = wire_buffer_head(&opening->payload),
                            .size = (uint32_t)wire_buffer_size(&opening->payload)};
    return OPENING_WHOLE;
}

OpeningResult openings_handle(Openings *openings, const WireFrame *frame, WireFrame *ret_open)
{
    Opening *opening = find(openings, frame->stream);
    if (opening == NULL && frame->type != WIRE_OPEN)
        return OPENING_NOT;

    OpeningResult result = OPENING_PART;
    bool closed = opening != NULL && frame->type == WIRE_CLOSE; /* the client has gone */
    if (!closed)
        result =
            opening != NULL ? go_on(opening, frame, ret_open) : begin(openings, frame, ret_open);
    if (closed || result == OPENING_BROKEN)
        openings_forget(openings, frame->stream);
    return result;
}

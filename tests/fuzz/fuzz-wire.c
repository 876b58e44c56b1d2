/* SPDX-License-Identifier: MIT
 *
 * Bytes from a peer: they give frames and fields, or an error; nothing is read beyond the end, and
 * credit never exceeds a window.
 */
#include "../lib/wire_input.h"
#include "fuzz.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

/* Read random fields until the payload is used up or malformed. */
static void read_fields(const WireFrame *frame, const uint8_t *choice, size_t choices)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    for (size_t i = 0; i < choices && !wire_reader_done(&reader) && !reader.failed; i++) {
        WireListener listener;
        char **list = NULL;
        switch (choice[i] % 7) {
        case 0:
            wire_get_u8(&reader);
            break;
        case 1:
            wire_get_u16(&reader);
            break;
        case 2:
            wire_get_u32(&reader);
            break;
        case 3:
            wire_get_u64(&reader);
            break;
        case 4:
            g_assert_cmpuint(strlen(wire_get_string(&reader)), <=, frame->size);
            break;
        case 5:
            list = wire_get_list(&reader);
            break;
        case 6:
            if (wire_get_listener(&reader, &listener))
                g_assert_cmpuint(strlen(listener.owner), <=, frame->size);
            break;
        }
        for (char **each = list; each != NULL && *each != NULL; each++)
            g_assert_cmpuint(strlen(*each), <=, frame->size);
        free(list);
    }
    g_assert_true(reader.next <= reader.end);
    g_assert_true(!wire_reader_done(&reader) || (!reader.failed && reader.next == reader.end));
}

static void count(WireCredit *credit, const WireFrame *frame)
{
    if (frame->type == WIRE_DATA && wire_credit_spend(credit, frame->size))
        wire_credit_return(credit, frame->size / 2);
    if (frame->type == WIRE_CREDIT)
        wire_credit_grant(credit, frame->stream);
    g_assert_cmpuint(credit->available, <=, WIRE_WINDOW);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WireBuffer buffer = {0};
    WireCredit credit = WIRE_CREDIT_INIT;
    WireFrame frame;
    wire_input_put(&buffer, data, size);
    /* an exact copy, so that a sanitizer detects reads beyond it */
    WireBuffer exact = {.end = wire_buffer_size(&buffer), .capacity = wire_buffer_size(&buffer)};
    exact.data = g_memdup2(wire_buffer_head(&buffer), exact.end);
    while (wire_frame_peek(&exact, &frame) == 1) {
        g_assert_cmpuint(frame.size, <=, WIRE_PAYLOAD_MAX);
        g_assert_cmpuint(frame.channel, <, WIRE_CHANNELS);
        g_assert_nonnull(wire_type_name(frame.type));
        read_fields(&frame, data, size);
        count(&credit, &frame);
        wire_buffer_consume(&exact, WIRE_HEADER_SIZE + frame.size);
    }
    g_free(exact.data);
    wire_buffer_clear(&buffer);
    return 0;
}

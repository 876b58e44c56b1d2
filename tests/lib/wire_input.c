/* SPDX-License-Identifier: MIT */
#include "wire_input.h"

#include <string.h>

#define STREAMS     4
#define FIELDS_MAX  8
#define OUTPUT_MAX  100000u
#define BLOB_FACTOR 512u /* for DATA, bytes per input byte, so that a window fills quickly */

static const uint8_t types[] = {
    WIRE_CONFIG, WIRE_POWER,  WIRE_HELLO,  WIRE_STAGE, WIRE_READY,   WIRE_BOOTED,
    WIRE_OPEN,   WIRE_SIGNAL, WIRE_RESIZE, WIRE_CLOSE, WIRE_CONNECT, WIRE_LISTENERS,
    WIRE_OPENED, WIRE_FAILED, WIRE_EXIT,   WIRE_DATA,  WIRE_EOF,     WIRE_CREDIT,
    0,           WIRE_MORE,   200,
};

typedef struct {
    const uint8_t *next;
    size_t left;
} Input;

static uint8_t next_byte(Input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->next++;
}

static void put_string(WireBuffer *buffer, Input *input)
{
    char text[8] = {0};
    for (size_t i = 0, length = next_byte(input) % sizeof(text); i < length; i++)
        text[i] = (char)next_byte(input);
    wire_put_string(buffer, text);
}

static void put_list(WireBuffer *buffer, Input *input)
{
    uint32_t count = next_byte(input) % 4;
    wire_put_u32(buffer, count);
    for (uint32_t i = 0; i < count; i++)
        put_string(buffer, input);
}

static void put_blob(WireBuffer *buffer, Input *input)
{
    static const uint8_t zeros[255 * BLOB_FACTOR / 4];
    size_t size = next_byte(input) * BLOB_FACTOR / 4;
    wire_buffer_append(buffer, zeros, size);
}

static void put_listener(WireBuffer *buffer, Input *input)
{
    WireListener listener = {.family = next_byte(input) % 2 ? 4 : 6,
                             .protocol = next_byte(input) % 2 ? 6 : 17,
                             .port = (uint16_t)(next_byte(input) << 8 | next_byte(input)),
                             .owner = "x"};
    listener.address[0] = next_byte(input);
    wire_put_listener(buffer, &listener);
}

static void put_field(WireBuffer *buffer, Input *input)
{
    switch (next_byte(input) % 9) {
    case 0:
        wire_put_u8(buffer, next_byte(input));
        break;
    case 1:
        wire_put_u16(buffer, next_byte(input));
        break;
    case 2:
        wire_put_u32(buffer, next_byte(input));
        break;
    case 3:
        wire_put_u32(buffer, (uint32_t)next_byte(input) << 10);
        break;
    case 4:
        wire_put_u64(buffer, (uint64_t)next_byte(input) << 56);
        break;
    case 5:
        put_string(buffer, input);
        break;
    case 6:
        put_list(buffer, input);
        break;
    case 7:
        put_blob(buffer, input);
        break;
    case 8:
        put_listener(buffer, input);
        break;
    }
}

static void put_frame(WireBuffer *buffer, Input *input)
{
    uint8_t type = types[next_byte(input) % sizeof(types)];
    uint8_t where = next_byte(input);
    size_t begin = wire_frame_begin(buffer, type, where / STREAMS % WIRE_CHANNELS, where % STREAMS);
    for (size_t i = 0, fields = next_byte(input) % FIELDS_MAX; i < fields; i++)
        put_field(buffer, input);
    wire_frame_end(buffer, begin);
}

void wire_input_put(WireBuffer *buffer, const uint8_t *data, size_t size)
{
    Input input = {data, size};
    bool raw = next_byte(&input) % 8 == 0;
    while (!raw && input.left > 0 && !buffer->failed && wire_buffer_size(buffer) < OUTPUT_MAX / 2)
        put_frame(buffer, &input);
    if (raw)
        wire_buffer_append(buffer, input.next, input.left);
}

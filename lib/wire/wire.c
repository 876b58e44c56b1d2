/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
    [WIRE_CONFIG] = "CONFIG",   [WIRE_POWER] = "POWER",         [WIRE_GROW] = "GROW",
    [WIRE_GROWN] = "GROWN",     [WIRE_HELLO] = "HELLO",         [WIRE_STAGE] = "STAGE",
    [WIRE_READY] = "READY",     [WIRE_BOOTED] = "BOOTED",       [WIRE_LISTENERS] = "LISTENERS",
    [WIRE_OPEN] = "OPEN",       [WIRE_SIGNAL] = "SIGNAL",       [WIRE_RESIZE] = "RESIZE",
    [WIRE_CLOSE] = "CLOSE",     [WIRE_OPENED] = "OPENED",       [WIRE_FAILED] = "FAILED",
    [WIRE_EXIT] = "EXIT",       [WIRE_DATA] = "DATA",           [WIRE_EOF] = "EOF",
    [WIRE_CREDIT] = "CREDIT",   [WIRE_CLOCK] = "CLOCK",         [WIRE_NOTE] = "NOTE",
    [WIRE_ROUTE] = "ROUTE",     [WIRE_NAMES] = "NAMES",         [WIRE_CONNECT] = "CONNECT",
    [WIRE_SHARES] = "SHARES",   [WIRE_SHARE] = "SHARE",         [WIRE_UNSHARE] = "UNSHARE",
    [WIRE_MORE] = "MORE",       [WIRE_TAKEN] = "TAKEN",         [WIRE_CALL] = "CALL",
    [WIRE_FREEZE] = "FREEZE",   [WIRE_FROZEN] = "FROZEN",       [WIRE_RELEASE] = "RELEASE",
    [WIRE_THAW] = "THAW",       [WIRE_MEASURE] = "MEASURE",     [WIRE_MEASURED] = "MEASURED",
    [WIRE_RECLAIM] = "RECLAIM", [WIRE_RECLAIMED] = "RECLAIMED", [WIRE_SWAP] = "SWAP",
};

const char *wire_type_name(uint8_t type)
{
    size_t count = sizeof(type_names) / sizeof(type_names[0]);
    return type < count && type_names[type] != NULL ? type_names[type] : "?";
}

uint8_t *wire_buffer_reserve(WireBuffer *buffer, size_t size)
{
    if (buffer->failed)
        return NULL;

    if (buffer->capacity - buffer->end < size && buffer->start > 0) {
        memmove(buffer->data, buffer->data + buffer->start, wire_buffer_size(buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    if (buffer->capacity - buffer->end < size) {
        size_t capacity = (buffer->end + size) * 2;
        uint8_t *data = realloc(buffer->data, capacity);
        if (data == NULL) {
            buffer->failed = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->end;
}

void wire_buffer_added(WireBuffer *buffer, size_t size)
{
    buffer->end += size;
}

void wire_buffer_append(WireBuffer *buffer, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    uint8_t *room = wire_buffer_reserve(buffer, size);
    if (room == NULL)
        return;
    memcpy(room, bytes, size);
    wire_buffer_added(buffer, size);
}

void wire_buffer_consume(WireBuffer *buffer, size_t size)
{
    buffer->start += size;
    if (buffer->start >= buffer->end)
        buffer->start = buffer->end = 0;
}

void wire_buffer_clear(WireBuffer *buffer)
{
    free(buffer->data);
    *buffer = (WireBuffer){0};
}

static void store_le(uint8_t *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t load_le(const uint8_t *from, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

int wire_frame_peek(const WireBuffer *buffer, WireFrame *ret_frame)
{
    if (buffer->failed)
        return -EPROTO;
    if (wire_buffer_size(buffer) < WIRE_HEADER_SIZE)
        return 0;

    const uint8_t *head = wire_buffer_head(buffer);
    uint32_t size = (uint32_t)load_le(head, 4);
    if (size > WIRE_PAYLOAD_MAX || head[5] >= WIRE_CHANNELS || load_le(head + 6, 2) != 0)
        return -EPROTO;
    if (wire_buffer_size(buffer) - WIRE_HEADER_SIZE < size)
        return 0;

    *ret_frame = (WireFrame){
        .type = head[4],
        .channel = head[5],
        .stream = (uint32_t)load_le(head + 8, 4),
        .payload = head + WIRE_HEADER_SIZE,
        .size = size,
    };
    return 1;
}

size_t wire_frame_begin(WireBuffer *buffer, WireType type, uint8_t channel, uint32_t stream)
{
    uint8_t header[WIRE_HEADER_SIZE] = {0};
    header[4] = (uint8_t)type;
    header[5] = channel;
    store_le(header + 8, stream, 4);

    wire_buffer_append(buffer, header, sizeof(header));
    return wire_buffer_size(buffer); /* relative to start, which only consume moves */
}

bool wire_frame_end(WireBuffer *buffer, size_t begin)
{
    if (buffer->failed)
        return false;
    size_t size = wire_buffer_size(buffer) - begin;
    if (size > WIRE_PAYLOAD_MAX) {
        buffer->end = buffer->start + begin - WIRE_HEADER_SIZE;
        return false;
    }
    store_le(buffer->data + buffer->start + begin - WIRE_HEADER_SIZE, size, 4);
    return true;
}

void wire_frame_put(WireBuffer *buffer, WireType type, uint8_t channel, uint32_t stream,
                    const void *payload, size_t size)
{
    size_t begin = wire_frame_begin(buffer, type, channel, stream);
    wire_buffer_append(buffer, payload, size);
    wire_frame_end(buffer, begin);
}

void wire_frames_put(WireBuffer *buffer, WireType type, uint32_t stream, const void *payload,
                     size_t size)
{
    const uint8_t *next = payload;
    size_t left = size;
    while (left >= WIRE_PAYLOAD_MAX) {
        wire_frame_put(buffer, type, 0, stream, next, WIRE_PAYLOAD_MAX);
        next += WIRE_PAYLOAD_MAX;
        left -= WIRE_PAYLOAD_MAX;
        type = WIRE_MORE;
    }
    wire_frame_put(buffer, type, 0, stream, next, left);
}

static void put_le(WireBuffer *buffer, uint64_t value, unsigned bytes)
{
    uint8_t raw[8];
    store_le(raw, value, bytes);
    wire_buffer_append(buffer, raw, bytes);
}

void wire_put_u8(WireBuffer *buffer, uint8_t value)
{
    put_le(buffer, value, 1);
}

void wire_put_u16(WireBuffer *buffer, uint16_t value)
{
    put_le(buffer, value, 2);
}

void wire_put_u32(WireBuffer *buffer, uint32_t value)
{
    put_le(buffer, value, 4);
}

void wire_put_u64(WireBuffer *buffer, uint64_t value)
{
    put_le(buffer, value, 8);
}

static void put_bytes(WireBuffer *buffer, const char *text, size_t length)
{
    wire_put_u32(buffer, (uint32_t)length);
    wire_buffer_append(buffer, text, length);
    wire_put_u8(buffer, 0);
}

void wire_put_string(WireBuffer *buffer, const char *text)
{
    put_bytes(buffer, text, text != NULL ? strlen(text) : 0);
}

void wire_put_text(WireBuffer *buffer, const char *text, size_t max)
{
    size_t length = text != NULL ? strnlen(text, max) : 0;
    if (text != NULL && length == max && text[length] != '\0')
        while (length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80)
            length--;
    put_bytes(buffer, text, length);
}

void wire_put_list(WireBuffer *buffer, const char *const *strings)
{
    uint32_t count = 0;
    while (strings != NULL && strings[count] != NULL)
        count++;
    wire_put_u32(buffer, count);
    for (uint32_t i = 0; i < count; i++)
        wire_put_string(buffer, strings[i]);
}

void wire_reader_init(WireReader *reader, const WireFrame *frame)
{
    *reader = (WireReader){.next = frame->payload, .end = frame->payload + frame->size};
}

/* The next @size bytes, or NULL after setting failed. */
static const uint8_t *read_bytes(WireReader *reader, size_t size)
{
    if (reader->failed || (size_t)(reader->end - reader->next) < size) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reader->next;
    reader->next += size;
    return bytes;
}

static uint64_t get_le(WireReader *reader, unsigned bytes)
{
    const uint8_t *raw = read_bytes(reader, bytes);
    return raw != NULL ? load_le(raw, bytes) : 0;
}

uint8_t wire_get_u8(WireReader *reader)
{
    return (uint8_t)get_le(reader, 1);
}

uint16_t wire_get_u16(WireReader *reader)
{
    return (uint16_t)get_le(reader, 2);
}

uint32_t wire_get_u32(WireReader *reader)
{
    return (uint32_t)get_le(reader, 4);
}

uint64_t wire_get_u64(WireReader *reader)
{
    return get_le(reader, 8);
}

const char *wire_get_string(WireReader *reader)
{
    uint32_t length = wire_get_u32(reader);
    if (length > WIRE_OPEN_MAX)
        reader->failed = true;

    const char *text = (const char *)read_bytes(reader, (size_t)length + 1);
    if (text == NULL)
        return "";
    if (memchr(text, '\0', (size_t)length + 1) != text + length) {
        reader->failed = true;
        return "";
    }
    return text;
}

char **wire_get_list(WireReader *reader)
{
    uint32_t count = wire_get_u32(reader);
    /* the shortest string needs five bytes, so no count can request more memory than the frame's
     * size */
    if (reader->failed || count > (size_t)(reader->end - reader->next) / 5) {
        reader->failed = true;
        return NULL;
    }

    char **strings = calloc((size_t)count + 1, sizeof(*strings));
    if (strings == NULL) {
        reader->failed = true;
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++)
        strings[i] = (char *)wire_get_string(reader);
    if (reader->failed) {
        free(strings);
        return NULL;
    }
    return strings;
}

bool wire_reader_done(const WireReader *reader)
{
    return !reader->failed && reader->next == reader->end;
}

void wire_put_listener(WireBuffer *buffer, const WireListener *listener)
{
    wire_put_u8(buffer, listener->family);
    wire_put_u8(buffer, listener->protocol);
    wire_put_u16(buffer, listener->port);
    wire_buffer_append(buffer, listener->address, sizeof(listener->address));
    wire_put_string(buffer, listener->owner);
    wire_put_u16(buffer, listener->relay);
    wire_put_u16(buffer, listener->problem);
}

bool wire_get_listener(WireReader *reader, WireListener *ret_listener)
{
    WireListener listener = {0};
    listener.family = wire_get_u8(reader);
    listener.protocol = wire_get_u8(reader);
    listener.port = wire_get_u16(reader);
    const uint8_t *address = read_bytes(reader, sizeof(listener.address));
    listener.owner = wire_get_string(reader);
    listener.relay = wire_get_u16(reader);
    listener.problem = wire_get_u16(reader);
    if ((listener.family != 4 && listener.family != 6) || listener.port == 0 ||
        (listener.protocol != IPPROTO_TCP && listener.protocol != IPPROTO_UDP))
        reader->failed = true;
    if (reader->failed)
        return false;

    memcpy(listener.address, address, sizeof(listener.address));
    *ret_listener = listener;
    return true;
}

bool wire_credit_spend(WireCredit *credit, uint32_t size)
{
    if (size > credit->available)
        return false;
    credit->available -= size;
    return true;
}

bool wire_credit_grant(WireCredit *credit, uint32_t size)
{
    if (size > WIRE_WINDOW - credit->available)
        return false;
    credit->available += size;
    return true;
}

uint32_t wire_credit_return(WireCredit *credit, uint32_t size)
{
    credit->owed += size;
    if (credit->owed < WIRE_WINDOW / 2)
        return 0;
    uint32_t granted = credit->owed;
    credit->owed = 0;
    credit->available += granted;
    return granted;
}

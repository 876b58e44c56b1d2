/* SPDX-License-Identifier: MIT */
#include "wire/wire.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

static void test_frames_round_trip(void)
{
    WireBuffer buffer = {0};
    size_t begin = wire_frame_begin(&buffer, WIRE_OPEN, 0, 7);
    wire_put_u32(&buffer, WIRE_OPEN_TTY);
    wire_put_string(&buffer, "alice");
    wire_put_string(&buffer, NULL);
    wire_put_u16(&buffer, 24);
    wire_put_u64(&buffer, UINT64_MAX - 1);
    wire_put_list(&buffer, (const char *const[]){"echo", "", "a b", NULL});
    wire_frame_end(&buffer, begin);
    wire_frame_put(&buffer, WIRE_DATA, WIRE_STDERR, 8, "xyz", 3);

    WireFrame frame;
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_cmpuint(frame.type, ==, WIRE_OPEN);
    g_assert_cmpuint(frame.stream, ==, 7);
    WireReader reader;
    wire_reader_init(&reader, &frame);
    g_assert_cmpuint(wire_get_u32(&reader), ==, WIRE_OPEN_TTY);
    g_assert_cmpstr(wire_get_string(&reader), ==, "alice");
    g_assert_cmpstr(wire_get_string(&reader), ==, "");
    g_assert_cmpuint(wire_get_u16(&reader), ==, 24);
    g_assert_cmpuint(wire_get_u64(&reader), ==, UINT64_MAX - 1);
    char **list = wire_get_list(&reader);
    g_assert_true(wire_reader_done(&reader));
    g_assert_cmpstr(list[0], ==, "echo");
    g_assert_cmpstr(list[1], ==, "");
    g_assert_cmpstr(list[2], ==, "a b");
    g_assert_null(list[3]);
    free(list);

    wire_buffer_consume(&buffer, WIRE_HEADER_SIZE + frame.size);
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_cmpuint(frame.channel, ==, WIRE_STDERR);
    g_assert_cmpmem(frame.payload, frame.size, "xyz", 3);
    wire_buffer_clear(&buffer);
}

static void test_partial_frame_waits(void)
{
    WireBuffer whole = {0};
    wire_frame_put(&whole, WIRE_DATA, WIRE_STDOUT, 1, "hello", 5);
    for (size_t size = 0; size < wire_buffer_size(&whole); size++) {
        WireBuffer part = {0};
        WireFrame frame;
        wire_buffer_append(&part, wire_buffer_head(&whole), size);
        g_assert_cmpint(wire_frame_peek(&part, &frame), ==, 0);
        wire_buffer_clear(&part);
    }
    wire_buffer_clear(&whole);
}

static void test_bad_headers(void)
{
    static const uint8_t headers[][WIRE_HEADER_SIZE] = {
        {1, 0, 1, 0, WIRE_DATA},       /* 65 537 bytes */
        {0xff, 0xff, 0xff, 0xff, 1},   /* 4 GiB */
        {0, 0, 0, 0, WIRE_DATA, 3},    /* no such channel */
        {0, 0, 0, 0, WIRE_DATA, 0, 1}, /* zero is not zero */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(headers); i++) {
        WireBuffer buffer = {0};
        WireFrame frame;
        wire_buffer_append(&buffer, headers[i], WIRE_HEADER_SIZE);
        g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, -EPROTO);
        wire_buffer_clear(&buffer);
    }
}

static void test_bad_payloads(void)
{
    static const struct {
        const char *bytes;
        uint32_t size;
    } payloads[] = {
        {"", 0},                 /* nothing there */
        {"\5\0\0\0abc", 7},      /* shorter than it says */
        {"\2\0\0\0abc", 7},      /* no NUL where it must be */
        {"\3\0\0\0a\0c\0", 8},   /* a NUL inside */
        {"\xff\xff\xff\xff", 4}, /* huge */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(payloads); i++) {
        WireFrame frame = {.payload = (const uint8_t *)payloads[i].bytes, .size = payloads[i].size};
        WireReader reader;
        wire_reader_init(&reader, &frame);
        g_assert_cmpstr(wire_get_string(&reader), ==, "");
        g_assert_false(wire_reader_done(&reader));

        wire_reader_init(&reader, &frame);
        char **list = wire_get_list(&reader);
        g_assert_true(list == NULL || !wire_reader_done(&reader));
        free(list);
    }
}

static void test_leftovers_are_an_error(void)
{
    WireFrame frame = {.payload = (const uint8_t *)"\1\2", .size = 2};
    WireReader reader;
    wire_reader_init(&reader, &frame);
    g_assert_cmpuint(wire_get_u8(&reader), ==, 1);
    g_assert_false(wire_reader_done(&reader));
}

static void test_listeners(void)
{
    WireListener listener = {.family = 4,
                             .protocol = 6,
                             .port = 8080,
                             .address = {127, 0, 0, 1},
                             .owner = "python3",
                             .relay = 40000,
                             .problem = 24};
    WireBuffer buffer = {0};
    size_t begin = wire_frame_begin(&buffer, WIRE_LISTENERS, 0, 0);
    wire_put_listener(&buffer, &listener);
    listener.family = 5;
    wire_put_listener(&buffer, &listener);
    wire_frame_end(&buffer, begin);

    WireFrame frame;
    WireReader reader;
    WireListener back;
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    wire_reader_init(&reader, &frame);
    g_assert_true(wire_get_listener(&reader, &back));
    g_assert_cmpuint(back.port, ==, 8080);
    g_assert_cmpstr(back.owner, ==, "python3");
    g_assert_cmpuint(back.relay, ==, 40000);
    g_assert_cmpuint(back.problem, ==, 24);
    g_assert_false(wire_get_listener(&reader, &back));
    wire_buffer_clear(&buffer);
}

static void test_credit(void)
{
    WireCredit sender = WIRE_CREDIT_INIT;
    WireCredit receiver = WIRE_CREDIT_INIT;
    g_assert_false(wire_credit_spend(&sender, WIRE_WINDOW + 1));
    g_assert_true(wire_credit_spend(&sender, WIRE_WINDOW));
    g_assert_true(wire_credit_spend(&receiver, WIRE_WINDOW));
    g_assert_false(wire_credit_spend(&sender, 1));

    g_assert_cmpuint(wire_credit_return(&receiver, WIRE_WINDOW / 2 - 1), ==, 0);
    uint32_t granted = wire_credit_return(&receiver, 1);
    g_assert_cmpuint(granted, ==, WIRE_WINDOW / 2);
    g_assert_true(wire_credit_grant(&sender, granted));
    g_assert_cmpuint(sender.available, ==, receiver.available);
    g_assert_false(wire_credit_grant(&sender, WIRE_WINDOW));
}

/* No sequence of bytes crashes the decoder or makes it read beyond the frame. g_test prints the
 * seed on failure. */
static void test_random_bytes(void)
{
    for (int round = 0; round < 20000; round++) {
        guint size = (guint)g_test_rand_int_range(0, 64);
        g_autofree uint8_t *bytes = g_malloc(size + 1);
        for (guint i = 0; i < size; i++)
            bytes[i] = (uint8_t)g_test_rand_int_range(0, i % 4 == 0 ? 256 : 3);
        WireFrame frame = {.payload = bytes, .size = size};
        WireReader reader;
        WireListener listener;
        wire_reader_init(&reader, &frame);
        while (!reader.failed && reader.next < reader.end) {
            free(wire_get_list(&reader));
            wire_get_string(&reader);
            wire_get_listener(&reader, &listener);
        }
        WireBuffer buffer = {0};
        wire_buffer_append(&buffer, bytes, size);
        WireFrame peeked;
        while (wire_frame_peek(&buffer, &peeked) == 1)
            wire_buffer_consume(&buffer, WIRE_HEADER_SIZE + peeked.size);
        wire_buffer_clear(&buffer);
    }
}

/* A payload over the maximum leaves the buffer unchanged: earlier and later frames are intact. */
static void test_overflow_is_undone(void)
{
    g_autofree char *text = g_strnfill(WIRE_PAYLOAD_MAX, 'x');
    WireBuffer buffer = {0};
    wire_frame_put(&buffer, WIRE_DATA, WIRE_STDOUT, 1, "before", 6);
    size_t begin = wire_frame_begin(&buffer, WIRE_NOTE, 0, 0);
    wire_put_string(&buffer, text);
    g_assert_false(wire_frame_end(&buffer, begin));
    begin = wire_frame_begin(&buffer, WIRE_NOTE, 0, 0);
    text[WIRE_PAYLOAD_MAX - 5] = '\0'; /* the maximum, with the length and the NUL */
    wire_put_string(&buffer, text);
    g_assert_true(wire_frame_end(&buffer, begin));

    WireFrame frame;
    WireReader reader;
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_cmpmem(frame.payload, frame.size, "before", 6);
    wire_buffer_consume(&buffer, WIRE_HEADER_SIZE + frame.size);
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_cmpuint(frame.size, ==, WIRE_PAYLOAD_MAX);
    wire_reader_init(&reader, &frame);
    g_assert_cmpstr(wire_get_string(&reader), ==, text);
    wire_buffer_consume(&buffer, WIRE_HEADER_SIZE + frame.size);
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 0);
    wire_buffer_clear(&buffer);
}

static void test_payload_of_several_frames(void)
{
    static const size_t sizes[] = {
        0, 1, WIRE_PAYLOAD_MAX - 1, WIRE_PAYLOAD_MAX, WIRE_PAYLOAD_MAX + 1, 3 * WIRE_PAYLOAD_MAX,
    };
    g_autofree uint8_t *bytes = g_malloc(3 * WIRE_PAYLOAD_MAX);
    for (size_t i = 0; i < 3 * WIRE_PAYLOAD_MAX; i++)
        bytes[i] = (uint8_t)(i % 251);
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        WireBuffer buffer = {0}, together = {0};
        WireFrame frame = {.size = WIRE_PAYLOAD_MAX};
        wire_frames_put(&buffer, WIRE_OPEN, 9, bytes, sizes[i]);
        for (guint n = 0; frame.size == WIRE_PAYLOAD_MAX; n++) {
            g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
            g_assert_cmpuint(frame.type, ==, n == 0 ? WIRE_OPEN : WIRE_MORE);
            g_assert_cmpuint(frame.stream, ==, 9);
            wire_buffer_append(&together, frame.payload, frame.size);
            wire_buffer_consume(&buffer, WIRE_HEADER_SIZE + frame.size);
        }
        g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 0);
        g_assert_cmpmem(wire_buffer_head(&together), wire_buffer_size(&together), bytes, sizes[i]);
        wire_buffer_clear(&buffer);
        wire_buffer_clear(&together);
    }
}

static void test_text_is_cut_between_characters(void)
{
    static const struct {
        const char *text;
        size_t max;
        const char *cut;
    } rows[] = {
        {NULL, 3, ""},
        {"", 3, ""},
        {"abc", 3, "abc"},
        {"abcd", 3, "abc"},
        {"a\u00e4", 2, "a"},
        {"a\u00e4", 3, "a\u00e4"},
        {"\u20ac\u20ac", 5, "\u20ac"},
        {"\u20ac", 2, ""},
        {"abc", 0, ""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        WireBuffer buffer = {0};
        wire_put_text(&buffer, rows[i].text, rows[i].max);
        WireFrame frame = {.payload = wire_buffer_head(&buffer),
                           .size = (uint32_t)wire_buffer_size(&buffer)};
        WireReader reader;
        wire_reader_init(&reader, &frame);
        g_assert_cmpstr(wire_get_string(&reader), ==, rows[i].cut);
        g_assert_true(wire_reader_done(&reader));
        wire_buffer_clear(&buffer);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wire/frames-round-trip", test_frames_round_trip);
    g_test_add_func("/wire/partial-frame-waits", test_partial_frame_waits);
    g_test_add_func("/wire/bad-headers", test_bad_headers);
    g_test_add_func("/wire/bad-payloads", test_bad_payloads);
    g_test_add_func("/wire/leftovers-are-an-error", test_leftovers_are_an_error);
    g_test_add_func("/wire/listeners", test_listeners);
    g_test_add_func("/wire/credit", test_credit);
    g_test_add_func("/wire/random-bytes", test_random_bytes);
    g_test_add_func("/wire/overflow-is-undone", test_overflow_is_undone);
    g_test_add_func("/wire/payload-of-several-frames", test_payload_of_several_frames);
    g_test_add_func("/wire/text-is-cut-between-characters", test_text_is_cut_between_characters);
    return g_test_run();
}

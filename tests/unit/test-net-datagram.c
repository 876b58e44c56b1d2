/* SPDX-License-Identifier: MIT */
#include "net/datagram.h"

#include "../lib/frames.h"

enum { GUEST = 0x0a00020f, DNS = 0x0a000203 };

static const Flow flow = {IPPROTO_UDP, 0, GUEST, DNS, 40000, 53, 0, 0};

/* As make_frame, for IPv6. */
static gsize make_frame6(guint8 *frame, const char *text)
{
    gsize size = 8 + strlen(text);
    guint8 *ip = frame + 14, *udp = ip + 40;
    memset(frame, 0, 14 + 40 + 8);
    memcpy(frame, gateway_station, 6);
    memcpy(frame + 6, guest_station, 6);
    put_u16(frame + 12, 0x86dd);
    ip[0] = 0x60;
    put_u16(ip + 4, (guint)size);
    ip[6] = IPPROTO_UDP;
    ip[8] = ip[24] = 0xfd;
    ip[23] = 0x15;
    ip[39] = 3;
    put_u16(udp, 40000);
    put_u16(udp + 2, 53);
    put_u16(udp + 4, (guint)size);
    memcpy(udp + 8, text, strlen(text));
    return 14 + 40 + size;
}

static void check_ends(const BerthDatagramEnds *ends)
{
    g_assert_cmpmem(ends->guest_station, 6, guest_station, 6);
    g_assert_cmpmem(ends->our_station, 6, gateway_station, 6);
    g_assert_cmpuint(ends->guest_port, ==, 40000);
    g_assert_cmpuint(ends->our_port, ==, 53);
}

static void test_ipv4(void)
{
    guint8 frame[128], answer[128];
    BerthDatagram got;
    gsize size = make_frame(frame, &flow, "query", 5);
    g_assert_true(berth_datagram_parse(frame, size + 3, &got)); /* padded */
    check_ends(&got.ends);
    g_assert_cmpuint(got.ends.family, ==, 4);
    g_assert_cmphex(get_u32(got.ends.guest), ==, GUEST);
    g_assert_cmphex(get_u32(got.ends.ours), ==, DNS);
    g_assert_cmpmem(got.data, got.size, "query", 5);

    size = berth_datagram_answer(&got.ends, (const guint8 *)"answers", 7, answer);
    g_assert_cmpuint(size, ==, 14 + 20 + 8 + 7);
    g_assert_true(checksums_are_right(answer));
    g_assert_cmpmem(answer, 6, guest_station, 6);
    g_assert_cmpmem(answer + 6, 6, gateway_station, 6);
    g_assert_cmphex(get_u32(answer + 26), ==, DNS);
    g_assert_cmphex(get_u32(answer + 30), ==, GUEST);
    g_assert_cmpuint(get_u16(answer + 34), ==, 53);
    g_assert_cmpuint(get_u16(answer + 36), ==, 40000);
    g_assert_cmpmem(answer + 42, 7, "answers", 7);
}

static void test_ipv6(void)
{
    guint8 frame[128], answer[128];
    BerthDatagram got;
    gsize size = make_frame6(frame, "query");
    g_assert_true(berth_datagram_parse(frame, size, &got));
    check_ends(&got.ends);
    g_assert_cmpuint(got.ends.family, ==, 6);
    g_assert_cmpuint(got.ends.ours[15], ==, 3);
    g_assert_cmpmem(got.data, got.size, "query", 5);

    size = berth_datagram_answer(&got.ends, (const guint8 *)"answers", 7, answer);
    g_assert_cmpuint(size, ==, 14 + 40 + 8 + 7);
    g_assert_cmpuint(get_u16(answer + 12), ==, 0x86dd);
    g_assert_cmpuint(get_u16(answer + 18), ==, 15);
    g_assert_cmpuint(answer[14 + 23], ==, 3);
    g_assert_cmpuint(answer[14 + 39], ==, 0x15);
    guint32 pseudo = sum(0, answer + 22, 32) + IPPROTO_UDP + 15;
    g_assert_cmpuint(fold(sum(pseudo, answer + 54, 15)), ==, 0);
}

static void test_size_limit(void)
{
    BerthDatagramEnds ends = {.family = 4};
    g_assert_cmpuint(berth_datagram_room(&ends, 1500), ==, 1472);
    ends.family = 6;
    g_assert_cmpuint(berth_datagram_room(&ends, 1500), ==, 1452);
    g_assert_cmpuint(berth_datagram_room(&ends, 20), ==, 0);
}

static void test_invalid_frames(void)
{
    guint8 frame[128];
    BerthDatagram got;
    Flow tcp = flow;
    tcp.protocol = IPPROTO_TCP;
    gsize size = make_frame(frame, &tcp, "query", 5);
    g_assert_false(berth_datagram_parse(frame, size, &got));

    size = make_frame(frame, &flow, "query", 5);
    put_u16(frame + 20, 0x2000); /* the first of several fragments */
    g_assert_false(berth_datagram_parse(frame, size, &got));
    put_u16(frame + 20, 1);
    g_assert_false(berth_datagram_parse(frame, size, &got));
    put_u16(frame + 20, 0x4000);
    g_assert_true(berth_datagram_parse(frame, size, &got));
    put_u16(frame + 38, 14);
    g_assert_false(berth_datagram_parse(frame, size, &got));
    put_u16(frame + 38, 7);
    g_assert_false(berth_datagram_parse(frame, size, &got));

    size = make_frame6(frame, "query");
    frame[20] = 0; /* an extension header */
    g_assert_false(berth_datagram_parse(frame, size, &got));
}

static void test_every_cut(void)
{
    guint8 frame[128];
    BerthDatagram got;
    for (guint family = 4; family <= 6; family += 2) {
        gsize size =
            family == 4 ? make_frame(frame, &flow, "query", 5) : make_frame6(frame, "query");
        for (gsize cut = 0; cut < size; cut++) {
            g_autofree guint8 *part = g_memdup2(frame, cut);
            g_assert_false(berth_datagram_parse(part, cut, &got));
        }
    }
}

static void test_empty_datagram_of_any_size_of_header(void)
{
    guint8 frame[128];
    BerthDatagram got;
    gsize size = make_frame(frame, &flow, "", 0);
    g_assert_true(berth_datagram_parse(frame, size, &got));
    g_assert_cmpuint(got.size, ==, 0);
    frame[14] = 0x47; /* options: the datagram would begin after the frame's end */
    g_assert_false(berth_datagram_parse(frame, size, &got));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/datagram/ipv4", test_ipv4);
    g_test_add_func("/net/datagram/ipv6", test_ipv6);
    g_test_add_func("/net/datagram/size-limit", test_size_limit);
    g_test_add_func("/net/datagram/invalid-frames", test_invalid_frames);
    g_test_add_func("/net/datagram/every-cut", test_every_cut);
    g_test_add_func("/net/datagram/empty", test_empty_datagram_of_any_size_of_header);
    return g_test_run();
}

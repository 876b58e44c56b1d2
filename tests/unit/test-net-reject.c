/* SPDX-License-Identifier: MIT */
#include "net/reject.h"

#include "net/packet.h"
#include "../lib/packets.h"

#include <netinet/in.h>
#include <string.h>

static const guint8 guest_v4[4] = {10, 0, 2, 15}, other_v4[4] = {10, 0, 2, 2};
static const guint8 guest_v6[16] = {0xfd, 1, [15] = 0x15}, other_v6[16] = {0xfd, 1, [15] = 2};

/* Build a frame of the guest with @size bytes of @payload; returns its size. */
static gsize make(guint8 *frame, guint family, guint8 protocol, const guint8 *payload, gsize size)
{
    static const guint8 ethernet[12] = {0x52, 0x55, 10, 0, 2, 2, 0x52, 0x54, 0, 1, 2, 3};
    gsize header = family == 4 ? 20 : 40;
    guint8 *ip = frame + 14;
    memset(frame, 0, 14 + header);
    memcpy(frame, ethernet, 12);
    put_u16(frame + 12, family == 4 ? 0x0800 : 0x86dd);
    if (family == 4) {
        ip[0] = 0x45;
        put_u16(ip + 2, (guint)(20 + size));
        ip[9] = protocol;
        memcpy(ip + 12, guest_v4, 4);
        memcpy(ip + 16, other_v4, 4);
    } else {
        ip[0] = 0x60;
        put_u16(ip + 4, (guint)size);
        ip[6] = protocol;
        memcpy(ip + 8, guest_v6, 16);
        memcpy(ip + 24, other_v6, 16);
    }
    memcpy(ip + header, payload, size);
    return 14 + header + size;
}

/* Check source, destination and checksums. */
static BerthPacket check_answer(const guint8 *answer, gsize size, guint family)
{
    BerthPacket packet;
    g_assert_cmpuint(size, <=, BERTH_REJECT_MAX);
    g_assert_true(berth_packet_read(answer, size, &packet));
    g_assert_cmpuint(packet.family, ==, family);
    g_assert_cmpuint(14 + packet.header_size + packet.size, ==, size);
    g_assert_cmpuint(answer[5], ==, 3); /* to the guest's MAC address, from the gateway's */
    g_assert_cmpuint(answer[11], ==, 2);
    g_assert_cmpmem(packet.source, packet.address_size, family == 4 ? other_v4 : other_v6,
                    family == 4 ? 4 : 16);
    g_assert_cmpmem(packet.destination, packet.address_size, family == 4 ? guest_v4 : guest_v6,
                    family == 4 ? 4 : 16);
    if (family == 4)
        g_assert_cmphex(fold(sum(0, packet.header, 20)), ==, 0);
    bool pseudo = packet.protocol != IPPROTO_ICMP;
    guint32 total =
        pseudo ? sum((guint32)packet.size + packet.protocol, packet.source, 2 * packet.address_size)
               : 0;
    g_assert_cmphex(fold(sum(total, packet.payload, packet.size)), ==, 0);
    return packet;
}

static const guint families[] = {4, 6};

static void test_syn_is_reset(void)
{
    for (gsize i = 0; i < 2; i++) {
        guint8 tcp[24] = {0x9c, 0x40, 0x15, 0x38, 0xff, 0xff, 0xff, 0xff, [12] = 0x60, [13] = 2};
        guint8 frame[128], answer[BERTH_REJECT_MAX];
        gsize size = make(frame, families[i], IPPROTO_TCP, tcp, sizeof(tcp));
        gsize answered = berth_reject_frame(frame, size, BERTH_REJECT_PORT, answer);
        BerthPacket packet = check_answer(answer, answered, families[i]);
        g_assert_cmpuint(packet.protocol, ==, IPPROTO_TCP);
        g_assert_cmphex(get_u16(packet.payload), ==, 0x1538);
        g_assert_cmphex(get_u16(packet.payload + 2), ==, 0x9c40);
        g_assert_cmphex(get_u32(packet.payload + 4), ==, 0);
        g_assert_cmphex(get_u32(packet.payload + 8), ==, 0); /* its sequence number plus one */
        g_assert_cmphex(packet.payload[13], ==, 0x14);
    }
}

static void test_other_segments_are_not_answered(void)
{
    static const guint8 flags[] = {0x04, 0x06, 0x10, 0x11, 0x12, 0x14, 0x18, 0x00};
    for (gsize i = 0; i < G_N_ELEMENTS(flags); i++) {
        guint8 tcp[20] = {[12] = 0x50, [13] = flags[i]};
        guint8 frame[128], answer[BERTH_REJECT_MAX];
        gsize size = make(frame, 4, IPPROTO_TCP, tcp, sizeof(tcp));
        g_assert_cmpuint(berth_reject_frame(frame, size, BERTH_REJECT_POLICY, answer), ==, 0);
    }
}

static void test_datagram_is_unreachable(void)
{
    static const guint8 expected[2][2][2] = {{{3, 3}, {3, 13}}, {{1, 4}, {1, 1}}};
    static const guint8 udp[12] = {0x9c, 0x40, 0x15, 0x38, 0, 12, 0, 0, 'a', 'b', 'c', 'd'};
    for (gsize i = 0; i < 2; i++)
        for (guint reason = 0; reason < 2; reason++) {
            guint8 frame[128], answer[BERTH_REJECT_MAX];
            gsize size = make(frame, families[i], IPPROTO_UDP, udp, sizeof(udp));
            gsize answered = berth_reject_frame(frame, size, (BerthRejectReason)reason, answer);
            BerthPacket packet = check_answer(answer, answered, families[i]);
            gsize header = families[i] == 4 ? 20 : 40;
            g_assert_cmpuint(packet.payload[0], ==, expected[i][reason][0]);
            g_assert_cmpuint(packet.payload[1], ==, expected[i][reason][1]);
            g_assert_cmpmem(packet.payload + 8, packet.size - 8, frame + 14, header + 8);
        }
}

static void test_ping_is_unreachable(void)
{
    static const guint8 ping_v4[8] = {8}, ping_v6[8] = {128}, answer_v4[8] = {0};
    guint8 frame[128], answer[BERTH_REJECT_MAX];
    gsize size = make(frame, 4, IPPROTO_ICMP, ping_v4, 8);
    gsize answered = berth_reject_frame(frame, size, BERTH_REJECT_POLICY, answer);
    g_assert_cmpuint(check_answer(answer, answered, 4).payload[1], ==, 13);
    size = make(frame, 6, IPPROTO_ICMPV6, ping_v6, 8);
    answered = berth_reject_frame(frame, size, BERTH_REJECT_POLICY, answer);
    g_assert_cmpuint(check_answer(answer, answered, 6).payload[0], ==, 1);
    size = make(frame, 4, IPPROTO_ICMP, answer_v4, 8);
    g_assert_cmpuint(berth_reject_frame(frame, size, BERTH_REJECT_POLICY, answer), ==, 0);
}

static void test_options_and_fragments(void)
{
    static const guint8 udp[8] = {1, 2, 3, 4, 0, 8};
    guint8 frame[128], answer[BERTH_REJECT_MAX];
    gsize size = make(frame, 4, IPPROTO_UDP, udp, sizeof(udp));
    memmove(frame + 38, frame + 34, 8);
    frame[14] = 0x46;
    put_u16(frame + 16, 32);
    gsize answered = berth_reject_frame(frame, size + 4, BERTH_REJECT_PORT, answer);
    BerthPacket packet = check_answer(answer, answered, 4);
    g_assert_cmphex(packet.payload[8], ==, 0x45);
    g_assert_cmpmem(packet.payload + 28, 8, udp, 8);

    size = make(frame, 4, IPPROTO_UDP, udp, sizeof(udp));
    put_u16(frame + 20, 1);
    g_assert_cmpuint(berth_reject_frame(frame, size, BERTH_REJECT_PORT, answer), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/reject/syn-is-reset", test_syn_is_reset);
    g_test_add_func("/net/reject/other-segments-are-not-answered",
                    test_other_segments_are_not_answered);
    g_test_add_func("/net/reject/datagram-is-unreachable", test_datagram_is_unreachable);
    g_test_add_func("/net/reject/ping-is-unreachable", test_ping_is_unreachable);
    g_test_add_func("/net/reject/options-and-fragments", test_options_and_fragments);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT */
#include "net/acks.h"

#include "../lib/frames.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, ECE = 64 };
enum { SERVER = 0x08080808, GUEST = 0x0a00020f };

static const Flow plain = {
    .protocol = IPPROTO_TCP,
    .flags = ACK,
    .source = SERVER,
    .destination = GUEST,
    .source_port = 443,
    .destination_port = 40000,
    .sequence = 7,
    .acknowledged = 1000,
};

static bool keep(BerthAcks *acks, Flow flow)
{
    guint8 frame[128];
    gsize size = make_frame(frame, &flow, NULL, 0);
    return berth_acks_keep(acks, frame, size);
}

static guint32 acknowledged(const BerthAcks *acks, guint index)
{
    return get_u32(acks->kept[index].frame + 34 + 8);
}

static Flow further(Flow flow, guint32 by)
{
    flow.acknowledged += by;
    return flow;
}

static void test_last_ack_of_a_connection_is_kept(void)
{
    BerthAcks acks = {0};
    for (guint i = 0; i < 5; i++)
        g_assert_true(keep(&acks, further(plain, i * 16384)));
    g_assert_cmpuint(acks.count, ==, 1);
    g_assert_cmpuint(acknowledged(&acks, 0), ==, 1000 + 4 * 16384);
    g_assert_true(checksums_are_right(acks.kept[0].frame));
}

static void test_numbers_wrap(void)
{
    BerthAcks acks = {0};
    Flow flow = plain;
    flow.acknowledged = 0xfffffff0;
    g_assert_true(keep(&acks, flow));
    g_assert_true(keep(&acks, further(flow, 0x20)));
    g_assert_cmpuint(acknowledged(&acks, 0), ==, 0x10);
    g_assert_false(keep(&acks, flow));
}

/* Senders count duplicate ACKs; window updates look the same. */
static void test_redundant_ack_is_dropped(void)
{
    BerthAcks acks = {0};
    g_assert_true(keep(&acks, plain));
    g_assert_false(keep(&acks, plain));
    g_assert_false(keep(&acks, further(plain, (guint32)-1)));
    g_assert_cmpuint(acknowledged(&acks, 0), ==, 1000);
}

static void test_connections_are_told_apart(void)
{
    Flow others[] = {plain, plain, plain, plain};
    others[0].source++;
    others[1].source_port++;
    others[2].destination++;
    others[3].destination_port++;
    BerthAcks acks = {0};
    g_assert_true(keep(&acks, plain));
    for (guint i = 0; i < G_N_ELEMENTS(others); i++)
        g_assert_true(keep(&acks, others[i]));
    g_assert_cmpuint(acks.count, ==, 5);
    g_assert_true(keep(&acks, further(others[1], 5)));
    g_assert_cmpuint(acks.count, ==, 5);
    g_assert_cmpuint(acknowledged(&acks, 2), ==, 1005);
}

static void test_connections_are_bounded(void)
{
    BerthAcks acks = {0};
    Flow flow = plain;
    for (guint i = 0; i < BERTH_ACKS_MAX; i++, flow.destination_port++)
        g_assert_true(keep(&acks, flow));
    g_assert_false(keep(&acks, flow));
    g_assert_cmpuint(acks.count, ==, BERTH_ACKS_MAX);
}

static void test_other_segments_are_not_kept(void)
{
    static const guint8 flags[] = {0,   SYN,       SYN | ACK, FIN | ACK,
                                   RST, RST | ACK, PSH | ACK, ECE | ACK};
    BerthAcks acks = {0};
    Flow flow = plain;
    for (guint i = 0; i < G_N_ELEMENTS(flags); i++) {
        flow.flags = flags[i];
        g_assert_false(keep(&acks, flow));
    }
    guint8 frame[128];
    gsize size = make_frame(frame, &plain, "data", 4);
    g_assert_false(berth_acks_keep(&acks, frame, size));
    Flow datagram = plain;
    datagram.protocol = IPPROTO_UDP;
    g_assert_false(keep(&acks, datagram));
    g_assert_cmpuint(acks.count, ==, 0);
}

static void carry(BerthAcks *acks, Flow flow, gsize data_size)
{
    guint8 frame[128];
    gsize size = make_frame(frame, &flow, "data", data_size);
    berth_acks_carry(acks, frame, size);
}

static void test_data_supersedes_an_ack(void)
{
    BerthAcks acks = {0};
    Flow other = plain, close = plain;
    other.destination_port++;
    close.flags |= FIN;
    g_assert_true(keep(&acks, plain));
    g_assert_true(keep(&acks, other));
    carry(&acks, plain, 4);
    g_assert_cmpuint(acks.count, ==, 1);
    g_assert_cmpuint(get_u16(acks.kept[0].frame + 36), ==, other.destination_port);

    g_assert_true(keep(&acks, plain));
    carry(&acks, further(close, 1), 0);
    g_assert_cmpuint(acks.count, ==, 1);
}

static void test_older_ack_does_not_supersede(void)
{
    BerthAcks acks = {0};
    Flow reset = plain, other = plain;
    reset.flags |= RST;
    other.source_port++;
    g_assert_true(keep(&acks, plain));
    carry(&acks, further(plain, (guint32)-1), 4);
    carry(&acks, plain, 0); /* the second of two duplicates */
    carry(&acks, reset, 0);
    carry(&acks, other, 4);
    g_assert_cmpuint(acks.count, ==, 1);
}

static gsize make_frame6(guint8 *frame, guint32 acknowledged_number)
{
    memset(frame, 0, 14 + 40 + 20);
    put_u16(frame + 12, 0x86dd);
    guint8 *ip = frame + 14, *tcp = ip + 40;
    ip[0] = 0x60;
    put_u16(ip + 4, 20);
    ip[6] = IPPROTO_TCP;
    ip[8] = ip[24] = 0xfd;
    put_u16(tcp, 443);
    put_u16(tcp + 2, 40000);
    put_u32(tcp + 8, acknowledged_number);
    tcp[12] = 0x50;
    tcp[13] = ACK;
    return 14 + 40 + 20;
}

static void test_ipv6(void)
{
    BerthAcks acks = {0};
    guint8 frame[128];
    g_assert_true(berth_acks_keep(&acks, frame, make_frame6(frame, 5)));
    g_assert_true(berth_acks_keep(&acks, frame, make_frame6(frame, 9)));
    g_assert_true(keep(&acks, plain));
    g_assert_cmpuint(acks.count, ==, 2);
    g_assert_cmpuint(get_u32(acks.kept[0].frame + 54 + 8), ==, 9);
}

static void test_truncated_frames(void)
{
    guint8 frame[128];
    gsize size = make_frame(frame, &plain, NULL, 0);
    for (gsize cut = 0; cut < size; cut++) {
        BerthAcks acks = {0};
        g_autofree guint8 *copy = g_memdup2(frame, cut); /* a sanitizer detects reads beyond it */
        g_assert_false(berth_acks_keep(&acks, copy, cut));
        g_assert_true(keep(&acks, plain));
        berth_acks_carry(&acks, copy, cut);
        g_assert_cmpuint(acks.count, ==, 1);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/acks/last-ack-of-a-connection-is-kept",
                    test_last_ack_of_a_connection_is_kept);
    g_test_add_func("/net/acks/numbers-wrap", test_numbers_wrap);
    g_test_add_func("/net/acks/redundant-ack-is-dropped", test_redundant_ack_is_dropped);
    g_test_add_func("/net/acks/connections-are-told-apart", test_connections_are_told_apart);
    g_test_add_func("/net/acks/connections-are-bounded", test_connections_are_bounded);
    g_test_add_func("/net/acks/other-segments-are-not-kept", test_other_segments_are_not_kept);
    g_test_add_func("/net/acks/data-supersedes-an-ack", test_data_supersedes_an_ack);
    g_test_add_func("/net/acks/older-ack-does-not-supersede", test_older_ack_does_not_supersede);
    g_test_add_func("/net/acks/ipv6", test_ipv6);
    g_test_add_func("/net/acks/truncated-frames", test_truncated_frames);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT */
#include "net/replies.h"

#include <netinet/in.h>
#include <string.h>

static const guint8 guest[4] = {10, 0, 2, 15}, gateway[4] = {10, 0, 2, 2}, other[4] = {9, 9, 9, 9};

typedef struct {
    guint8 udp[8];
    BerthPacket packet;
} Datagram;

static const BerthPacket *make(Datagram *datagram, const guint8 *from, guint16 from_port,
                               const guint8 *to, guint16 to_port)
{
    *datagram = (Datagram){.udp = {(guint8)(from_port >> 8), (guint8)from_port,
                                   (guint8)(to_port >> 8), (guint8)to_port},
                           .packet = {.family = 4,
                                      .protocol = IPPROTO_UDP,
                                      .address_size = 4,
                                      .source = from,
                                      .destination = to,
                                      .first = true,
                                      .size = 8}};
    datagram->packet.payload = datagram->udp;
    return &datagram->packet;
}

static void test_only_the_sender_is_answered(void)
{
    BerthReplies replies = {0};
    Datagram each;
    berth_replies_record(&replies, make(&each, gateway, 5000, guest, 5353), 1000);
    g_assert_true(berth_replies_expect(&replies, make(&each, guest, 5353, gateway, 5000), 1000));
    g_assert_false(berth_replies_expect(&replies, make(&each, guest, 5353, gateway, 5001), 1000));
    g_assert_false(berth_replies_expect(&replies, make(&each, guest, 5354, gateway, 5000), 1000));
    g_assert_false(berth_replies_expect(&replies, make(&each, guest, 5353, other, 5000), 1000));
    each.packet.protocol = IPPROTO_TCP;
    make(&each, guest, 5353, gateway, 5000);
    each.packet.protocol = IPPROTO_TCP;
    g_assert_false(berth_replies_expect(&replies, &each.packet, 1000));
    make(&each, guest, 5353, gateway, 5000);
    each.packet.first = false;
    g_assert_false(berth_replies_expect(&replies, &each.packet, 1000));
}

static void test_entries_expire(void)
{
    BerthReplies replies = {0};
    Datagram each;
    berth_replies_record(&replies, make(&each, gateway, 5000, guest, 5353), 1);
    make(&each, guest, 5353, gateway, 5000);
    g_assert_true(berth_replies_expect(&replies, &each.packet, BERTH_REPLIES_LIFE_USEC));
    g_assert_false(berth_replies_expect(&replies, &each.packet, BERTH_REPLIES_LIFE_USEC + 1));
}

static void test_oldest_entry_is_evicted(void)
{
    BerthReplies replies = {0};
    Datagram each;
    for (guint16 i = 0; i < BERTH_REPLIES_MAX; i++)
        berth_replies_record(&replies, make(&each, gateway, 5000 + i, guest, 5353), 10 + i);
    berth_replies_record(&replies, make(&each, gateway, 5000, guest, 5353), 1000);
    berth_replies_record(&replies, make(&each, gateway, 9000, guest, 5353), 1001);
    g_assert_true(berth_replies_expect(&replies, make(&each, guest, 5353, gateway, 5000), 1001));
    g_assert_false(berth_replies_expect(&replies, make(&each, guest, 5353, gateway, 5001), 1001));
    g_assert_true(berth_replies_expect(&replies, make(&each, guest, 5353, gateway, 5002), 1001));
    g_assert_true(berth_replies_expect(&replies, make(&each, guest, 5353, gateway, 9000), 1001));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/replies/only-the-sender-is-answered", test_only_the_sender_is_answered);
    g_test_add_func("/net/replies/entries-expire", test_entries_expire);
    g_test_add_func("/net/replies/oldest-entry-is-evicted", test_oldest_entry_is_evicted);
    return g_test_run();
}

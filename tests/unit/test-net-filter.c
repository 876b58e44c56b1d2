/* SPDX-License-Identifier: MIT */
#include "../lib/filter_frames.h"
#include "net/filter.h"

#include <stdbool.h>
#include <string.h>

static const BerthAccess everything = {.known = 1, .host_all = 1};
static const BerthFilter filter = {.prefix6 = {PREFIX}, .access = &everything};

/* Up to three edits of consecutive bytes; an edit without bytes ends the list. */
typedef struct {
    const char *name;
    const guint8 *frame;
    gsize size;
    BerthFilterVerdict verdict;
    struct {
        gsize at;
        gsize count;
        guint8 bytes[16];
    } edits[3];
} Case;

static const Case cases[] = {
    {"tcp", BASE(tcp_syn), BERTH_FILTER_PASS, {{0}}},
    {"udp", BASE(udp_query), BERTH_FILTER_PASS, {{0}}},
    {"icmp", BASE(icmp_echo), BERTH_FILTER_PASS, {{0}}},
    {"arp", BASE(arp_request), BERTH_FILTER_PASS, {{0}}},
    {"arp answer", BASE(arp_request), BERTH_FILTER_PASS, {{20, 2, {0, 2}}}},
    {"tcp6", BASE(tcp6_syn), BERTH_FILTER_PASS, {{0}}},
    {"udp6", BASE(udp6_query), BERTH_FILTER_PASS, {{0}}},
    {"neighbour question", BASE(neighbour_question), BERTH_FILTER_PASS, {{0}}},
    {"neighbour answer",
     BASE(neighbour_question),
     BERTH_FILTER_PASS,
     {{54, 1, {136}}, {38, 16, {PREFIX, [15] = 2}}}},
    {"neighbour question, link-local",
     BASE(neighbour_question),
     BERTH_FILTER_PASS,
     {{22, 16, {0xfe, 0x80, [15] = 7}}, {38, 16, {0xfe, 0x80, [15] = 2}}}},
    {"whether an address is free",
     BASE(neighbour_question),
     BERTH_FILTER_PASS,
     {{22, 16, {0}}, {53, 1, {0x15}}}},
    {"padded tcp6", BASE(udp6_query), BERTH_FILTER_PASS, {{18, 2, {0, 8}}, {58, 2, {0, 8}}}},
    {"padded", BASE(tcp_syn), BERTH_FILTER_PASS, {{16, 2, {0, 40}}, {46, 1, {0x50}}}},
    {"udp fragment", BASE(udp_query), BERTH_FILTER_PASS, {{20, 2, {0x20, 0}}, {38, 2, {0x40, 0}}}},
    {"later udp fragment",
     BASE(udp_query),
     BERTH_FILTER_PASS,
     {{20, 2, {0x00, 0x10}}, {38, 2, {0, 0}}}},

    {"no header", tcp_syn, 13, BERTH_FILTER_MALFORMED, {{0}}},
    {"no packet", tcp_syn, 14, BERTH_FILTER_MALFORMED, {{0}}},
    {"cut in the ip header", tcp_syn, 33, BERTH_FILTER_MALFORMED, {{0}}},
    {"cut in the packet", tcp_syn, sizeof(tcp_syn) - 1, BERTH_FILTER_MALFORMED, {{0}}},
    {"from a group", BASE(tcp_syn), BERTH_FILTER_MALFORMED, {{6, 1, {0x53}}}},
    {"from nobody", BASE(tcp_syn), BERTH_FILTER_MALFORMED, {{6, 6, {0}}}},
    {"not version 4", BASE(tcp_syn), BERTH_FILTER_MALFORMED, {{14, 1, {0x65}}}},
    {"short ip header", BASE(tcp_syn), BERTH_FILTER_MALFORMED, {{14, 1, {0x44}}}},
    {"ip header beyond the packet", BASE(icmp_echo), BERTH_FILTER_MALFORMED, {{14, 1, {0x4f}}}},
    {"total below the header", BASE(tcp_syn), BERTH_FILTER_MALFORMED, {{16, 2, {0, 19}}}},
    {"total beyond the frame", BASE(tcp_syn), BERTH_FILTER_MALFORMED, {{16, 2, {0xff, 0xff}}}},
    {"no room for tcp", BASE(tcp_syn), BERTH_FILTER_MALFORMED, {{16, 2, {0, 39}}}},
    {"short tcp header", BASE(tcp_syn), BERTH_FILTER_MALFORMED, {{46, 1, {0x40}}}},
    {"tcp header beyond the packet", BASE(tcp_syn), BERTH_FILTER_MALFORMED, {{46, 1, {0x70}}}},
    {"no room for udp", BASE(udp_query), BERTH_FILTER_MALFORMED, {{16, 2, {0, 27}}}},
    {"short udp", BASE(udp_query), BERTH_FILTER_MALFORMED, {{38, 2, {0, 7}}}},
    {"long udp", BASE(udp_query), BERTH_FILTER_MALFORMED, {{38, 2, {0, 13}}}},
    {"no room for icmp", BASE(icmp_echo), BERTH_FILTER_MALFORMED, {{16, 2, {0, 27}}}},
    {"cut in arp", arp_request, sizeof(arp_request) - 1, BERTH_FILTER_MALFORMED, {{0}}},
    {"arp of another network", BASE(arp_request), BERTH_FILTER_MALFORMED, {{16, 2, {0x86, 0xdd}}}},
    {"arp of no operation", BASE(arp_request), BERTH_FILTER_MALFORMED, {{20, 2, {0, 3}}}},

    {"ipv4 called ipv6", BASE(tcp_syn), BERTH_FILTER_MALFORMED, {{12, 2, {0x86, 0xdd}}}},
    {"ipv6 called ipv4", BASE(tcp6_syn), BERTH_FILTER_MALFORMED, {{12, 2, {8, 0}}}},
    {"cut in the ipv6 header", tcp6_syn, 53, BERTH_FILTER_MALFORMED, {{0}}},
    {"ipv6 beyond the frame", BASE(tcp6_syn), BERTH_FILTER_MALFORMED, {{18, 2, {0, 21}}}},
    {"no room for tcp6", BASE(tcp6_syn), BERTH_FILTER_MALFORMED, {{18, 2, {0, 19}}}},
    {"tcp6 header beyond the packet", BASE(tcp6_syn), BERTH_FILTER_MALFORMED, {{66, 1, {0x60}}}},
    {"long udp6", BASE(udp6_query), BERTH_FILTER_MALFORMED, {{58, 2, {0, 13}}}},
    {"no room for icmp6",
     BASE(neighbour_question),
     BERTH_FILTER_MALFORMED,
     {{18, 2, {0, 7}}, {38, 16, {PREFIX, [15] = 2}}}},

    {"nc-si", BASE(tcp_syn), BERTH_FILTER_TYPE, {{12, 2, {0x88, 0xf8}}}},
    {"vlan", BASE(tcp_syn), BERTH_FILTER_TYPE, {{12, 2, {0x81, 0x00}}}},
    {"length for a type", BASE(tcp_syn), BERTH_FILTER_TYPE, {{12, 2, {0, 40}}}},

    {"a proxy's answer", BASE(tcp_syn), BERTH_FILTER_PASS, {{29, 1, {14}}, {47, 1, {0x12}}}},
    {"a proxy's reset", BASE(tcp_syn), BERTH_FILTER_PASS, {{29, 1, {14}}, {47, 1, {0x04}}}},
    {"a proxy that begins", BASE(tcp_syn), BERTH_FILTER_SOURCE, {{29, 1, {14}}}},
    {"a proxy's datagram", BASE(udp_query), BERTH_FILTER_SOURCE, {{29, 1, {14}}}},
    {"a proxy's ping", BASE(icmp_echo), BERTH_FILTER_SOURCE, {{29, 1, {14}}}},
    {"a proxy's arp", BASE(arp_request), BERTH_FILTER_PASS, {{31, 1, {14}}}},
    {"a proxy's answer6", BASE(tcp6_syn), BERTH_FILTER_PASS, {{37, 1, {0x14}}, {67, 1, {0x12}}}},
    {"a proxy that begins6", BASE(tcp6_syn), BERTH_FILTER_SOURCE, {{37, 1, {0x14}}}},
    {"a proxy's datagram6", BASE(udp6_query), BERTH_FILTER_SOURCE, {{37, 1, {0x14}}}},
    {"a proxy's question", BASE(neighbour_question), BERTH_FILTER_PASS, {{37, 1, {0x14}}}},
    {"a neighbour's address", BASE(tcp_syn), BERTH_FILTER_SOURCE, {{26, 4, {10, 0, 2, 16}}}},
    {"an outside address", BASE(tcp_syn), BERTH_FILTER_SOURCE, {{26, 4, {8, 8, 8, 8}}}},
    {"no address", BASE(udp_query), BERTH_FILTER_SOURCE, {{26, 4, {0, 0, 0, 0}}}},
    {"loopback to outside", BASE(tcp_syn), BERTH_FILTER_SOURCE, {{26, 4, {127, 0, 0, 1}}}},
    {"loopback by udp",
     BASE(udp_query),
     BERTH_FILTER_SOURCE,
     {{26, 4, {127, 0, 0, 1}}, {30, 4, {10, 0, 2, 2}}}},
    {"another loopback",
     BASE(tcp_syn),
     BERTH_FILTER_SOURCE,
     {{26, 4, {127, 0, 0, 2}}, {30, 4, {10, 0, 2, 2}}}},
    {"answer of a loopback service",
     BASE(tcp_syn),
     BERTH_FILTER_SOURCE,
     {{26, 4, {127, 0, 0, 1}}, {30, 4, {10, 0, 2, 2}}}},
    {"arp answer for loopback",
     BASE(arp_request),
     BERTH_FILTER_SOURCE,
     {{20, 2, {0, 2}}, {28, 4, {127, 0, 0, 1}}}},
    {"a neighbour's address6", BASE(tcp6_syn), BERTH_FILTER_SOURCE, {{37, 1, {0x16}}}},
    {"another subnet's address6", BASE(tcp6_syn), BERTH_FILTER_SOURCE, {{29, 1, {1}}}},
    {"an outside address6", BASE(tcp6_syn), BERTH_FILTER_SOURCE, {{22, 2, {0x20, 1}}}},
    {"no address6", BASE(udp6_query), BERTH_FILTER_SOURCE, {{22, 16, {0}}}},
    {"loopback6", BASE(tcp6_syn), BERTH_FILTER_SOURCE, {{22, 16, {[15] = 1}}}},
    {"tcp from link-local",
     BASE(tcp6_syn),
     BERTH_FILTER_SOURCE,
     {{22, 16, {0xfe, 0x80, [15] = 7}}}},
    {"echo from link-local",
     BASE(neighbour_question),
     BERTH_FILTER_SOURCE,
     {{22, 16, {0xfe, 0x80, [15] = 7}}, {54, 1, {128}}}},
    {"no address asks the gateway",
     BASE(neighbour_question),
     BERTH_FILTER_SOURCE,
     {{22, 16, {0}}, {38, 16, {PREFIX, [15] = 2}}}},
    {"no address answers",
     BASE(neighbour_question),
     BERTH_FILTER_SOURCE,
     {{22, 16, {0}}, {54, 1, {136}}}},
    {"arp for another", BASE(arp_request), BERTH_FILTER_SOURCE, {{28, 4, {10, 0, 2, 9}}}},
    {"arp as loopback", BASE(arp_request), BERTH_FILTER_SOURCE, {{28, 4, {127, 0, 0, 1}}}},

    {"the gateway's address", BASE(tcp_syn), BERTH_FILTER_SPOOF, {{26, 4, {10, 0, 2, 2}}}},
    {"the name server's address", BASE(udp_query), BERTH_FILTER_SPOOF, {{26, 4, {10, 0, 2, 3}}}},
    {"the gateway's station",
     BASE(tcp_syn),
     BERTH_FILTER_SPOOF,
     {{6, 6, {0x52, 0x55, 10, 0, 2, 2}}}},
    {"the gateway's address6", BASE(tcp6_syn), BERTH_FILTER_SPOOF, {{37, 1, {2}}}},
    {"the name server's address6", BASE(udp6_query), BERTH_FILTER_SPOOF, {{37, 1, {3}}}},
    {"the gateway's link-local address",
     BASE(neighbour_question),
     BERTH_FILTER_SPOOF,
     {{22, 16, {0xfe, 0x80, [15] = 2}}}},
    {"arp as the gateway", BASE(arp_request), BERTH_FILTER_SPOOF, {{28, 4, {10, 0, 2, 2}}}},
    {"arp for another station", BASE(arp_request), BERTH_FILTER_SPOOF, {{22, 1, {0x50}}}},

    {"to 0.0.0.0", BASE(tcp_syn), BERTH_FILTER_DESTINATION, {{30, 4, {0, 0, 0, 0}}}},
    {"to 0.1.2.3", BASE(tcp_syn), BERTH_FILTER_DESTINATION, {{30, 4, {0, 1, 2, 3}}}},
    {"to 127.0.0.1", BASE(tcp_syn), BERTH_FILTER_DESTINATION, {{30, 4, {127, 0, 0, 1}}}},
    {"to 127.255.255.254",
     BASE(udp_query),
     BERTH_FILTER_DESTINATION,
     {{30, 4, {127, 255, 255, 254}}}},
    {"loopback to loopback",
     BASE(tcp_syn),
     BERTH_FILTER_SOURCE,
     {{26, 4, {127, 0, 0, 1}}, {30, 4, {127, 0, 0, 1}}}},
    {"broadcast", BASE(udp_query), BERTH_FILTER_DESTINATION, {{30, 4, {255, 255, 255, 255}}}},
    {"broadcast of the network",
     BASE(udp_query),
     BERTH_FILTER_DESTINATION,
     {{30, 4, {10, 0, 2, 255}}}},
    {"to a neighbour", BASE(tcp_syn), BERTH_FILTER_DESTINATION, {{30, 4, {10, 0, 2, 4}}}},
    {"to another distro", BASE(tcp_syn), BERTH_FILTER_PASS, {{30, 4, {198, 19, 255, 254}}}},
    {"to all distros", BASE(udp_query), BERTH_FILTER_DESTINATION, {{30, 4, {198, 19, 255, 255}}}},
    {"to no distro", BASE(udp_query), BERTH_FILTER_DESTINATION, {{30, 4, {198, 19, 255, 0}}}},
    {"to itself", BASE(tcp_syn), BERTH_FILTER_DESTINATION, {{30, 4, {10, 0, 2, 15}}}},

    {"to ::", BASE(tcp6_syn), BERTH_FILTER_DESTINATION, {{38, 16, {0}}}},
    {"to ::1", BASE(tcp6_syn), BERTH_FILTER_DESTINATION, {{38, 16, {[15] = 1}}}},
    {"to ::127.0.0.1", BASE(tcp6_syn), BERTH_FILTER_DESTINATION, {{38, 16, {[12] = 127, 0, 0, 1}}}},
    {"to ::ffff:127.0.0.1",
     BASE(tcp6_syn),
     BERTH_FILTER_DESTINATION,
     {{38, 16, {[10] = 0xff, 0xff, 127, 0, 0, 1}}}},
    {"to ::ffff:93.184.216.34",
     BASE(tcp6_syn),
     BERTH_FILTER_DESTINATION,
     {{38, 16, {[10] = 0xff, 0xff, 93, 184, 216, 34}}}},
    {"to ::ffff:0:127.0.0.1",
     BASE(tcp6_syn),
     BERTH_FILTER_DESTINATION,
     {{38, 16, {[8] = 0xff, 0xff, 0, 0, 127, 0, 0, 1}}}},
    {"to fec0::2", BASE(tcp6_syn), BERTH_FILTER_DESTINATION, {{38, 16, {0xfe, 0xc0, [15] = 2}}}},
    {"to feff::2", BASE(udp6_query), BERTH_FILTER_DESTINATION, {{38, 16, {0xfe, 0xff, [15] = 2}}}},
    {"to a neighbour6", BASE(udp6_query), BERTH_FILTER_DESTINATION, {{53, 1, {4}}}},
    {"to prefix::", BASE(udp6_query), BERTH_FILTER_DESTINATION, {{53, 1, {0}}}},
    {"to itself6", BASE(udp6_query), BERTH_FILTER_DESTINATION, {{53, 1, {0x15}}}},
    {"to prefix::1:2", BASE(udp6_query), BERTH_FILTER_DESTINATION, {{51, 3, {1, 0, 2}}}},
    {"to the gateway's link-local address",
     BASE(tcp6_syn),
     BERTH_FILTER_DESTINATION,
     {{38, 16, {0xfe, 0x80, [15] = 2}}}},
    {"to a link-local address",
     BASE(neighbour_question),
     BERTH_FILTER_DESTINATION,
     {{38, 16, {0xfe, 0x80, [15] = 9}}}},
    {"to a group", BASE(udp6_query), BERTH_FILTER_DESTINATION, {{38, 16, {0xff, 2, [15] = 1}}}},
    {"to a wider group",
     BASE(neighbour_question),
     BERTH_FILTER_DESTINATION,
     {{38, 16, {0xff, 5, [15] = 1}}}},
    {"cut neighbour question",
     BASE(neighbour_question),
     BERTH_FILTER_DESTINATION,
     {{18, 2, {0, 23}}}},
    {"to all routers",
     BASE(neighbour_question),
     BERTH_FILTER_DESTINATION,
     {{38, 16, {0xff, 2, [15] = 2}}, {54, 1, {133}}}},

    {"router advertisement",
     BASE(neighbour_question),
     BERTH_FILTER_PROTOCOL,
     {{38, 16, {PREFIX, [15] = 2}}, {54, 1, {134}}}},
    {"hop-by-hop options", BASE(tcp6_syn), BERTH_FILTER_PROTOCOL, {{20, 1, {0}}}},
    {"ipv6 fragment", BASE(tcp6_syn), BERTH_FILTER_PROTOCOL, {{20, 1, {44}}}},
    {"destination options", BASE(tcp6_syn), BERTH_FILTER_PROTOCOL, {{20, 1, {60}}}},
    {"icmp in ipv6", BASE(tcp6_syn), BERTH_FILTER_PROTOCOL, {{20, 1, {1}}}},
    {"icmpv6 in ipv4", BASE(icmp_echo), BERTH_FILTER_PROTOCOL, {{23, 1, {58}}}},
    {"igmp", BASE(udp_query), BERTH_FILTER_PROTOCOL, {{23, 1, {2}}}},
    {"sctp", BASE(udp_query), BERTH_FILTER_PROTOCOL, {{23, 1, {132}}}},

    {"first tcp fragment", BASE(tcp_syn), BERTH_FILTER_FRAGMENT, {{20, 2, {0x20, 0}}}},
    {"later tcp fragment", BASE(tcp_syn), BERTH_FILTER_FRAGMENT, {{20, 2, {0, 1}}}},
    {"beyond the largest packet", BASE(udp_query), BERTH_FILTER_FRAGMENT, {{20, 2, {0x1f, 0xff}}}},

    {"urgent", BASE(tcp_syn), BERTH_FILTER_URGENT, {{47, 1, {0x22}}}},
    {"urgent with a pointer",
     BASE(tcp_syn),
     BERTH_FILTER_URGENT,
     {{47, 1, {0x38}}, {52, 2, {0xff, 0xff}}}},

    {"urgent6", BASE(tcp6_syn), BERTH_FILTER_URGENT, {{67, 1, {0x22}}}},
    {"dhcpv6", BASE(udp6_query), BERTH_FILTER_SERVICE, {{53, 1, {2}}, {56, 2, {2, 35}}}},
    {"tftp6", BASE(udp6_query), BERTH_FILTER_SERVICE, {{53, 1, {2}}, {56, 2, {0, 69}}}},
    {"dhcp", BASE(udp_query), BERTH_FILTER_SERVICE, {{30, 4, {10, 0, 2, 2}}, {36, 2, {0, 67}}}},
    {"tftp", BASE(udp_query), BERTH_FILTER_SERVICE, {{30, 4, {10, 0, 2, 2}}, {36, 2, {0, 69}}}},
    {"tftp outside", BASE(udp_query), BERTH_FILTER_PASS, {{30, 4, {9, 9, 9, 9}}, {36, 2, {0, 69}}}},
};

/* The frame in a block of exactly its size, so that a sanitizer detects reads outside. */
static BerthFilterVerdict check(const guint8 *bytes, gsize size)
{
    g_autofree guint8 *frame = g_memdup2(bytes, size);
    return berth_filter_frame(&filter, frame, size);
}

static void test_verdicts(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Case *each = &cases[i];
        g_autofree guint8 *frame = g_memdup2(each->frame, each->size);
        for (gsize j = 0; j < G_N_ELEMENTS(each->edits) && each->edits[j].count > 0; j++)
            memcpy(frame + each->edits[j].at, each->edits[j].bytes, each->edits[j].count);

        BerthFilterVerdict verdict = berth_filter_frame(&filter, frame, each->size);
        if (verdict != each->verdict)
            g_test_message("%s", each->name);
        g_assert_cmpint(verdict, ==, each->verdict);
    }
}

static void test_every_cut_is_refused(void)
{
    for (gsize size = 0; size < sizeof(tcp_syn); size++)
        g_assert_cmpint(check(tcp_syn, size), ==, BERTH_FILTER_MALFORMED);
    for (gsize size = 0; size < sizeof(tcp6_syn); size++)
        g_assert_cmpint(check(tcp6_syn, size), ==, BERTH_FILTER_MALFORMED);
    for (gsize size = 0; size < sizeof(arp_request); size++)
        g_assert_cmpint(check(arp_request, size), ==, BERTH_FILTER_MALFORMED);
}

/* The packets libslirp must never see, checked independently of the filter's code. */
static void assert_harmless_v6(const guint8 *frame, gsize size)
{
    static const guint8 prefix[16] = {PREFIX}, zero[16];
    const guint8 *source = frame + 22, *destination = frame + 38;
    bool discovery = frame[20] == 58 && (frame[54] == 135 || frame[54] == 136);
    bool ours = memcmp(source, prefix, 15) == 0;
    bool answers = frame[20] == 6 && (frame[54 + 13] & 0x12) != 0x02;
    bool guest = ours && (source[15] == 0x15 || (source[15] == 0x14 && answers));
    g_assert_cmpuint(size, >=, 54 + 8);
    g_assert_true(frame[20] == 6 || frame[20] == 17 || frame[20] == 58);
    g_assert_true(guest || discovery);
    g_assert_true(memcmp(destination, zero, 8) != 0);
    g_assert_true(destination[0] != 0xfe || destination[1] < 0xc0);
    g_assert_true(destination[0] != 0xfe || destination[1] < 0x80 || discovery);
    g_assert_true(destination[0] != 0xff || discovery);
    if (memcmp(destination, prefix, 8) == 0)
        g_assert_true(memcmp(destination, prefix, 15) == 0 && destination[15] / 2 == 1);
    if (frame[20] == 6)
        g_assert_cmpuint(frame[54 + 13] & 0x20, ==, 0);
}

static void assert_harmless(const guint8 *frame, gsize size)
{
    static const guint8 guest[] = {10, 0, 2, 15}, proxies[] = {10, 0, 2, 14};
    if (frame[12] == 0x86) {
        assert_harmless_v6(frame, size);
        return;
    }
    g_assert_true(frame[12] == 8 && (frame[13] == 0 || frame[13] == 6));
    if (frame[13] == 6) {
        g_assert_cmpuint(size, >=, 42);
        return;
    }

    gsize header = (gsize)(frame[14] & 15) * 4;
    bool answers = frame[23] == 6 && (frame[14 + header + 13] & 0x12) != 0x02;
    g_assert_cmpmem(frame + 26, 4, answers && frame[29] == 14 ? proxies : guest, 4);
    g_assert_true(frame[30] != 0 && frame[30] != 127);
    g_assert_cmpuint(14 + header, <=, size);
    if (frame[23] == 6) {
        g_assert_cmpuint(frame[14 + header + 13] & 0x20, ==, 0);
        g_assert_true((frame[20] & 0x3f) == 0 && frame[21] == 0);
    }
}

static void test_random_bytes(void)
{
    for (guint i = 0; i < 200000; i++) {
        guint8 frame[96];
        gsize size = (gsize)g_test_rand_int_range(0, sizeof(frame));
        for (gsize j = 0; j < size; j++)
            frame[j] = (guint8)g_test_rand_int();
        if (check(frame, size) == BERTH_FILTER_PASS)
            assert_harmless(frame, size);
    }
}

static void test_random_changes_of_good_frames(void)
{
    static const struct {
        const guint8 *bytes;
        gsize size;
    } good[] = {{BASE(tcp_syn)},           {BASE(udp_query)}, {BASE(icmp_echo)},
                {BASE(arp_request)},       {BASE(tcp6_syn)},  {BASE(udp6_query)},
                {BASE(neighbour_question)}};
    guint passed = 0;

    for (guint i = 0; i < 700000; i++) {
        gsize size = good[i % G_N_ELEMENTS(good)].size;
        guint8 frame[96];
        memcpy(frame, good[i % G_N_ELEMENTS(good)].bytes, size);
        for (gint changes = g_test_rand_int_range(1, 4); changes > 0; changes--)
            frame[g_test_rand_int_range(0, (gint32)size)] = (guint8)g_test_rand_int();
        if (check(frame, size) != BERTH_FILTER_PASS)
            continue;
        passed++;
        assert_harmless(frame, size);
    }
    g_assert_cmpuint(passed, >, 1000); /* otherwise the check above was vacuous */
}

/* libslirp maps more addresses than the gateway's to the host's loopback: none of them passes. */
static void test_no_other_route_to_the_host(void)
{
    for (guint number = 0; number < 256; number++) {
        guint8 frame[sizeof(tcp_syn)], frame6[sizeof(tcp6_syn)];
        static const guint8 prefix[8] = {PREFIX};
        memcpy(frame, tcp_syn, sizeof(frame));
        memcpy(frame + 30, (const guint8[]){10, 0, 2, 2}, 4);
        frame[33] = (guint8)number;
        frame[37] = 99;
        memcpy(frame6, tcp6_syn, sizeof(frame6));
        memset(frame6 + 38, 0, 16);
        memcpy(frame6 + 38, prefix, sizeof(prefix));
        frame6[53] = (guint8)number;
        BerthFilterVerdict expected = number == 2   ? BERTH_FILTER_PASS
                                      : number == 3 ? BERTH_FILTER_PORT
                                                    : BERTH_FILTER_DESTINATION;
        g_assert_cmpint(check(frame, sizeof(frame)), ==, expected);
        g_assert_cmpint(check(frame6, sizeof(frame6)), ==, expected);
        frame6[46 + number % 7] = 1; /* and the rest of the /64 */
        g_assert_cmpint(check(frame6, sizeof(frame6)), ==, BERTH_FILTER_DESTINATION);

        memcpy(frame + 30, (const guint8[]){127, (guint8)number, 3, 4}, 4);
        g_assert_cmpint(check(frame, sizeof(frame)), ==, BERTH_FILTER_DESTINATION);
        frame[30] = 0;
        g_assert_cmpint(check(frame, sizeof(frame)), ==, BERTH_FILTER_DESTINATION);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/filter/verdicts", test_verdicts);
    g_test_add_func("/net/filter/every-cut-is-refused", test_every_cut_is_refused);
    g_test_add_func("/net/filter/random-bytes", test_random_bytes);
    g_test_add_func("/net/filter/random-changes-of-good-frames",
                    test_random_changes_of_good_frames);
    g_test_add_func("/net/filter/no-other-route-to-the-host", test_no_other_route_to_the_host);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT */
#include "../lib/filter_frames.h"
#include "net/wake.h"

#include <string.h>

/* Up to three edits of consecutive bytes; an edit without bytes ends the list. Offsets: ARP has its
 * operation at 20, sender at 28, target at 38; TCP's flags are at 47 in IPv4 and 67 in IPv6. */
typedef struct {
    const char *name;
    const guint8 *frame;
    gsize size;
    bool wakes;
    struct {
        gsize at;
        gsize count;
        guint8 bytes[4];
    } edits[3];
} Case;

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* tcp_syn has four bytes of options, which are data with a shorter header; the IPv4 total length is
 * at 16, TCP's header length at 46. tcp6_syn has a bare header. */
#define NO_DATA4                                                                                   \
    {                                                                                              \
        16, 2,                                                                                     \
        {                                                                                          \
            0, 40                                                                                  \
        }                                                                                          \
    }
#define SHORT_HEADER4                                                                              \
    {                                                                                              \
        46, 1,                                                                                     \
        {                                                                                          \
            0x50                                                                                   \
        }                                                                                          \
    }

static const Case cases[] = {
    {"arp request", BASE(arp_request), true, {{0}}},
    {"arp answer", BASE(arp_request), false, {{20, 2, {0, 2}}}},
    {"arp announcement", BASE(arp_request), false, {{38, 4, {10, 0, 2, 15}}}},
    {"cut arp", arp_request, sizeof(arp_request) - 1, false, {{0}}},
    {"neighbour solicitation", BASE(neighbour_question), true, {{0}}},
    {"neighbour advertisement", BASE(neighbour_question), false, {{54, 1, {136}}}},
    {"router advertisement", BASE(neighbour_question), false, {{54, 1, {134}}}},
    {"icmp6 unreachable", BASE(neighbour_question), false, {{54, 1, {1}}}},
    {"icmp6 in ipv4", BASE(icmp_echo), false, {{23, 1, {58}}, {34, 1, {135}}}},
    {"icmp6 without a type", neighbour_question, 54, false, {{18, 2, {0, 0}}}},
    {"ping", BASE(icmp_echo), false, {{0}}},
    {"udp", BASE(udp_query), true, {{0}}},
    {"udp6", BASE(udp6_query), true, {{0}}},
    {"later udp fragment", BASE(udp_query), true, {{20, 2, {0x00, 0x10}}}},
    {"later icmp fragment", BASE(icmp_echo), false, {{20, 2, {0x00, 0x10}}}},

    {"syn", BASE(tcp_syn), true, {{0}}},
    {"syn and ack", BASE(tcp_syn), true, {{47, 1, {SYN | ACK}}}},
    {"fin", BASE(tcp_syn), true, {{47, 1, {FIN | ACK}}}},
    {"reset", BASE(tcp_syn), false, {{47, 1, {RST}}}},
    {"reset and ack", BASE(tcp_syn), false, {{47, 1, {RST | ACK}}}},
    {"ack with options", BASE(tcp_syn), false, {{47, 1, {ACK}}}},
    {"bare ack", BASE(tcp_syn), false, {NO_DATA4, SHORT_HEADER4, {47, 1, {ACK}}}},
    {"padded ack", BASE(tcp_syn), false, {NO_DATA4, SHORT_HEADER4, {47, 1, {ACK | PSH}}}},
    {"data", BASE(tcp_syn), true, {SHORT_HEADER4, {47, 1, {ACK}}}},
    {"later tcp fragment", BASE(tcp_syn), true, {{20, 2, {0x00, 0x10}}, {47, 1, {ACK}}}},
    {"syn6", BASE(tcp6_syn), true, {{0}}},
    {"bare ack6", BASE(tcp6_syn), false, {{67, 1, {ACK}}}},
    {"cut tcp6", BASE(udp6_query), false, {{20, 1, {6}}}},
    {"cut tcp", BASE(tcp_syn), false, {{16, 2, {0, 39}}}},

    {"no header", tcp_syn, 13, false, {{0}}},
    {"no packet", tcp_syn, 14, false, {{0}}},
    {"cut in the packet", tcp_syn, sizeof(tcp_syn) - 1, false, {{0}}},
    {"another type", BASE(tcp_syn), false, {{12, 2, {0x88, 0xcc}}}},
    {"another protocol", BASE(tcp_syn), false, {{23, 1, {132}}}},
};

static void test_case(gconstpointer data)
{
    const Case *test = data;
    g_autofree guint8 *frame = g_memdup2(test->frame, test->size); /* overruns are seen by asan */
    for (guint i = 0; i < G_N_ELEMENTS(test->edits) && test->edits[i].count > 0; i++)
        memcpy(frame + test->edits[i].at, test->edits[i].bytes, test->edits[i].count);
    g_assert_cmpint(berth_wake_frame(frame, test->size), ==, test->wakes);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/net/wake/", cases[i].name, NULL);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    return g_test_run();
}

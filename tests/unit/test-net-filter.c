/* SPDX-License-Identifier: MIT */
#include "net/filter.h"

#include <stdbool.h>
#include <string.h>

/* A frame the guest may send; tests patch it. */
static const guint8 tcp_syn[] = {
    0x52, 0x55, 0x0a, 0x00, 0x02, 0x02, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x08, 0x00, /* eth */
    0x45, 0x00, 0x00, 0x2c, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00,             /* ip */
    10,   0,    2,    15,   93,   184,  216,  34,                                       /* to */
    0x9c, 0x40, 0x00, 0x50, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00,             /* tcp */
    0x60, 0x02, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4,
};

static const guint8 udp_query[] = {
    0x52, 0x55, 0x0a, 0x00, 0x02, 0x03, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x08, 0x00, /* eth */
    0x45, 0x00, 0x00, 0x20, 0x12, 0x34, 0x00, 0x00, 0x40, 0x11, 0x00, 0x00,             /* ip */
    10,   0,    2,    15,   10,   0,    2,    3,                                        /* to */
    0x9c, 0x40, 0x00, 0x35, 0x00, 0x0c, 0x00, 0x00, 'q',  'u',  'r',  'y',              /* udp */
};

static const guint8 icmp_echo[] = {
    0x52, 0x55, 0x0a, 0x00, 0x02, 0x02, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x08, 0x00, /* eth */
    0x45, 0x00, 0x00, 0x1c, 0x12, 0x34, 0x00, 0x00, 0x40, 0x01, 0x00, 0x00,             /* ip */
    10,   0,    2,    15,   10,   0,    2,    2,                                        /* to */
    0x08, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01,                                     /* icmp */
};

static const guint8 arp_request[] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x08, 0x06, /* eth */
    0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,                                     /* arp */
    0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 10,   0,    2,    15,                           /* who */
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 10,   0,    2,    2,                            /* asks */
};

#define PREFIX 0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a, 0, 0

static const guint8 tcp6_syn[] = {
    0x52,   0x55, 0x0a, 0x00, 0x02, 0x02, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x86, 0xdd, /* eth */
    0x60,   0,    0,    0,    0,    20,   6,    64,                                       /* ip */
    PREFIX, 0,    0,    0,    0,    0,    0,    0,    0x15,                               /* from */
    0x20,   0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0,      1,                                                                /* to */
    0x9c,   0x40, 0x00, 0x50, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, /* tcp */
    0x50,   0x02, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
};

static const guint8 udp6_query[] = {
    0x52,   0x55, 0x0a, 0x00, 0x02, 0x03, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x86, 0xdd, /* eth */
    0x60,   0,    0,    0,    0,    12,   17,   64,                                       /* ip */
    PREFIX, 0,    0,    0,    0,    0,    0,    0,    0x15,                               /* from */
    PREFIX, 0,    0,    0,    0,    0,    0,    0,    3,                                  /* to */
    0x9c,   0x40, 0x00, 0x35, 0x00, 0x0c, 0x00, 0x00, 'q',  'u',  'r',  'y',              /* udp */
};

/* A neighbour solicitation for the gateway; source at 22, target address at 38, type at 54. */
static const guint8 neighbour_question[] = {
    0x33,   0x33, 0xff, 0x00, 0x00, 0x02, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x86, 0xdd, /* eth */
    0x60,   0,    0,    0,    0,    24,   58,   255,                                      /* ip */
    PREFIX, 0,    0,    0,    0,    0,    0,    0,    0x15,                               /* from */
    0xff,   2,    0,    0,    0,    0,    0,    0,    0,    0,    0,    1,    0xff, 0,
    0,      2,                                           /* to */
    135,    0,    0,    0,    0,    0,    0,    0,       /* icmp */
    PREFIX, 0,    0,    0,    0,    0,    0,    0,    2, /* whose */
};

static const BerthAccess everything = {.known = 1, .host_all = 1};
static const BerthFilter filter = {.prefix6 = {PREFIX}, .access = &everything};

#define BASE(frame) frame, sizeof(frame)

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

/* --- the access policy ------------------------------------------------------------------------ */

static const guint8 lan[4] = {192, 168, 1, 5};
static const guint8 to_gateway[4] = {10, 0, 2, 2};

enum { NOTHING_SAID, NO_PORTS, PORT_80, ISOLATED, LISTED, POLICIES };

static void make_policies(BerthAccess *policies)
{
    memset(policies, 0, POLICIES * sizeof(*policies));
    for (guint i = NO_PORTS; i < POLICIES; i++)
        policies[i].known = 1;
    g_assert_true(berth_access_add_ports(&policies[PORT_80], "80", NULL));
    g_assert_true(berth_access_add_ports(&policies[ISOLATED], "all", NULL));
    policies[ISOLATED].isolated = 1;
    berth_access_add_own(&policies[ISOLATED], 4, lan, 32);
    g_assert_true(berth_access_add_outbound(&policies[LISTED], "93.184.216.34:80", NULL));
}

#define ALL(verdict)                                                                               \
    {                                                                                              \
        verdict, verdict, verdict, verdict, verdict                                                \
    }
#define E BERTH_FILTER_EARLY
#define P BERTH_FILTER_PASS
#define H BERTH_FILTER_PORT
#define C BERTH_FILTER_CLOSED

static const struct {
    const char *name;
    const guint8 *frame;
    gsize size;
    BerthFilterVerdict verdicts[POLICIES];
    struct {
        gsize at;
        gsize count;
        guint8 bytes[16];
    } edits[3];
} policy_cases[] = {
    {"out", BASE(tcp_syn), {E, P, P, P, P}, {{0}}},
    {"out, another port", BASE(tcp_syn), {E, P, P, P, C}, {{37, 1, {81}}}},
    {"out, another segment", BASE(tcp_syn), ALL(P), {{37, 1, {81}}, {47, 1, {0x10}}}},
    {"out, syn with ack", BASE(tcp_syn), ALL(P), {{37, 1, {81}}, {47, 1, {0x12}}}},
    {"out, syn with fin", BASE(tcp_syn), {E, P, P, P, C}, {{37, 1, {81}}, {47, 1, {0x03}}}},
    {"out, syn with rst", BASE(tcp_syn), {E, P, P, P, C}, {{37, 1, {81}}, {47, 1, {0x06}}}},
    {"out, ipv6", BASE(tcp6_syn), {E, P, P, P, C}, {{0}}},
    {"host", BASE(tcp_syn), {E, H, P, H, H}, {{30, 4, {10, 0, 2, 2}}}},
    {"host, another port", BASE(tcp_syn), {E, H, H, H, H}, {{30, 4, {10, 0, 2, 2}}, {37, 1, {81}}}},
    {"host, an answer", BASE(tcp_syn), ALL(P), {{30, 4, {10, 0, 2, 2}}, {47, 1, {0x12}}}},
    {"host, ipv6", BASE(tcp6_syn), {E, H, P, H, H}, {{38, 16, {PREFIX, [15] = 2}}}},
    {"host, udp", BASE(udp_query), {E, H, H, H, H}, {{33, 1, {2}}}},
    {"host, udp 80", BASE(udp_query), {E, H, P, H, H}, {{33, 1, {2}}, {37, 1, {80}}}},
    {"host, udp6", BASE(udp6_query), {E, H, H, H, H}, {{53, 1, {2}}}},
    {"host, ping", BASE(icmp_echo), ALL(P), {{0}}},
    {"dns", BASE(udp_query), ALL(P), {{0}}},
    {"dns, ipv6", BASE(udp6_query), ALL(P), {{0}}},
    {"dns by tcp", BASE(tcp_syn), ALL(P), {{30, 4, {10, 0, 2, 3}}, {37, 1, {53}}}},
    {"dns, another port", BASE(tcp_syn), ALL(H), {{30, 4, {10, 0, 2, 3}}}},
    {"dns, another port6", BASE(tcp6_syn), ALL(H), {{38, 16, {PREFIX, [15] = 3}}}},
    {"the host's address", BASE(tcp_syn), {E, P, P, C, C}, {{30, 4, {192, 168, 1, 5}}}},
    {"the host's address, udp", BASE(udp_query), {E, P, P, C, C}, {{30, 4, {192, 168, 1, 5}}}},
    {"the host's address, ping", BASE(icmp_echo), {E, P, P, C, C}, {{30, 4, {192, 168, 1, 5}}}},
    {"metadata", BASE(tcp_syn), {E, C, C, C, C}, {{30, 4, {169, 254, 169, 254}}}},
    {"link-local", BASE(tcp_syn), {E, C, C, C, C}, {{30, 4, {169, 254, 7, 7}}}},
    {"later fragment", BASE(udp_query), ALL(P), {{20, 2, {0, 2}}, {30, 4, {192, 168, 1, 5}}}},
    {"ping out", BASE(icmp_echo), {E, P, P, P, C}, {{30, 4, {93, 184, 216, 34}}}},
    {"ping out, ipv6",
     BASE(neighbour_question),
     {E, P, P, P, C},
     {{38, 16, {0x20, 1, 0xd, 0xb8, [15] = 1}}, {54, 1, {128}}}},
    {"neighbours", BASE(neighbour_question), ALL(P), {{0}}},
    {"neighbour on the link",
     BASE(neighbour_question),
     ALL(P),
     {{22, 16, {0xfe, 0x80, [15] = 7}}, {38, 16, {0xfe, 0x80, [15] = 2}}}},
    {"loopback", BASE(tcp_syn), ALL(BERTH_FILTER_DESTINATION), {{30, 4, {127, 0, 0, 1}}}},
    {"loopback, ipv6", BASE(tcp6_syn), ALL(BERTH_FILTER_DESTINATION), {{38, 16, {[15] = 1}}}},
    {"dhcp", BASE(udp_query), ALL(BERTH_FILTER_SERVICE), {{33, 1, {2}}, {37, 1, {67}}}},
};
#undef E
#undef P
#undef H
#undef C

static void test_policies(void)
{
    BerthAccess policies[POLICIES];
    make_policies(policies);
    for (gsize i = 0; i < G_N_ELEMENTS(policy_cases); i++) {
        guint8 frame[96];
        gsize size = policy_cases[i].size;
        memcpy(frame, policy_cases[i].frame, size);
        for (gsize j = 0; j < 3 && policy_cases[i].edits[j].count > 0; j++)
            memcpy(frame + policy_cases[i].edits[j].at, policy_cases[i].edits[j].bytes,
                   policy_cases[i].edits[j].count);
        for (guint j = 0; j < POLICIES; j++) {
            const BerthFilter by = {.prefix6 = {PREFIX}, .access = &policies[j]};
            BerthFilterVerdict verdict = berth_filter_frame(&by, frame, size);
            if (verdict != policy_cases[i].verdicts[j])
                g_test_message("%s, policy %u", policy_cases[i].name, j);
            g_assert_cmpint(verdict, ==, policy_cases[i].verdicts[j]);
        }
    }
}

static void test_pings_without_permission(void)
{
    BerthAccess policies[POLICIES];
    make_policies(policies);
    policies[1].no_ping = 1;
    const BerthFilter by = {.prefix6 = {PREFIX}, .access = &policies[1]};
    guint8 frame[sizeof(icmp_echo)];
    memcpy(frame, icmp_echo, sizeof(frame));
    memcpy(frame + 30, (const guint8[]){93, 184, 216, 34}, 4);
    g_assert_cmpint(berth_filter_frame(&by, frame, sizeof(frame)), ==, BERTH_FILTER_CLOSED);
    memcpy(frame + 30, to_gateway, 4); /* libslirp answers that one itself */
    g_assert_cmpint(berth_filter_frame(&by, frame, sizeof(frame)), ==, BERTH_FILTER_PASS);
}

/* libslirp maps more addresses than the gateway's to the host's loopback: none of them passes. */
static void test_no_other_route_to_the_host(void)
{
    for (guint number = 0; number < 256; number++) {
        guint8 frame[sizeof(tcp_syn)], frame6[sizeof(tcp6_syn)];
        static const guint8 prefix[8] = {PREFIX};
        memcpy(frame, tcp_syn, sizeof(frame));
        memcpy(frame + 30, to_gateway, 4);
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
    g_test_add_func("/net/filter/pings-without-permission", test_pings_without_permission);
    g_test_add_func("/net/filter/policies", test_policies);
    g_test_add_func("/net/filter/no-other-route-to-the-host", test_no_other_route_to_the_host);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT
 *
 * A frame of a hostile guest under a random policy: nothing outside it is read; the verdict equals
 * that of an independent implementation of the rules; a reply is a valid packet for the sender; a
 * translated frame is valid.
 *
 * Input: the policy, how much of the frame to make valid so that it gets far, and the frame.
 */
#include "fuzz.h"
#include "net/filter.h"
#include "net/nat.h"
#include "net/reject.h"
#include "../lib/packets.h"

#include <arpa/inet.h>
#include <glib.h>
#include <string.h>

#define PREFIX_TEXT "fdbe:1:2:3::"

typedef struct {
    const uint8_t *next, *end;
} Input;

static uint8_t next_byte(Input *input)
{
    return input->next < input->end ? *input->next++ : 0;
}

/* Addresses used by both policies and frames, so that they match often. */
static const char *const meeting_points[] = {
    "10.0.2.2",
    "10.0.2.3",
    "10.0.2.4",
    "127.0.0.1",
    "0.0.0.1",
    "255.255.255.255",
    "169.254.169.254",
    "169.254.3.3",
    "192.168.1.5",
    "93.184.216.34",
    "198.19.255.9",
    "224.0.0.5",
    PREFIX_TEXT "2",
    PREFIX_TEXT "3",
    PREFIX_TEXT "4",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::c0a8:105",
    "2001:db8::9",
    "fd00:ec2::254",
    "fe80::2",
    "fe80::9",
    "ff02::1:ff00:2",
    "fec0::2",
    "::",
    "::ffff:0:7f00:1",
    "64:ff9b::a9fe:a9fe",
    "100.100.100.200",
};

/* Returns the family. */
static guint8 read_address(Input *input, guint8 *ret_address)
{
    const char *text = meeting_points[next_byte(input) % G_N_ELEMENTS(meeting_points)];
    bool v6 = strchr(text, ':') != NULL;
    memset(ret_address, 0, 16);
    g_assert_cmpint(inet_pton(v6 ? AF_INET6 : AF_INET, text, ret_address), ==, 1);
    return v6 ? 6 : 4;
}

static void read_ranges(Input *input, guint16 *count, BerthAccessRange *ranges)
{
    for (guint wanted = next_byte(input) % 4; wanted > 0; wanted--) {
        BerthAccessRange *range = &ranges[(*count)++];
        range->family = read_address(input, range->address);
        range->bits = next_byte(input) % (range->family == 4 ? 33 : 129);
        range->port = next_byte(input) % 3 == 0 ? 80 : 0;
    }
}

static void read_policy(Input *input, BerthAccess *access)
{
    uint8_t flags = next_byte(input);
    *access = (BerthAccess){.known = (flags & 3) != 0,
                            .host_all = (flags & 12) == 12,
                            .isolated = (flags & 48) == 48,
                            .own_incomplete = (flags & 192) == 192};
    for (guint wanted = next_byte(input) % 4; wanted > 0; wanted--)
        access->ports[access->n_ports++] = next_byte(input);
    read_ranges(input, &access->n_outbound, access->outbound);
    read_ranges(input, &access->n_own, access->own);
    for (guint i = 0; i < access->n_own; i++)
        access->own[i].port = 0; /* normalised: own addresses have no port */
    g_assert_true(berth_access_is_sound(access));
}

/* --- the frame -------------------------------------------------------------------------------- */

static const guint8 guest_v4[4] = {10, 0, 2, 15};
static const guint8 prefix[16] = {0xfd, 0xbe, 0, 1, 0, 2, 0, 3};

enum {
    PUT_STATION = 1,
    PUT_TYPE = 2,
    PUT_IP = 4,
    PUT_SOURCE = 8,
    PUT_TARGET = 16,
    PUT_PROTOCOL = 32
};

static void put_right_v4(Input *input, uint8_t what, guint8 *ip, gsize size)
{
    static const guint8 protocols[] = {6, 17, 1, 58};
    guint8 address[16];
    if ((what & PUT_IP) != 0) {
        ip[0] = 0x45;
        put_u16(ip + 2, (guint)size);
        ip[6] &= 0x1f & next_byte(input);
        ip[7] &= next_byte(input);
    }
    if ((what & PUT_SOURCE) != 0)
        memcpy(ip + 12, guest_v4, 4);
    if ((what & PUT_SOURCE) != 0 && next_byte(input) % 4 == 0)
        ip[15] = 14;
    if ((what & PUT_TARGET) != 0 && read_address(input, address) == 4)
        memcpy(ip + 16, address, 4);
    if ((what & PUT_PROTOCOL) != 0)
        ip[9] = protocols[next_byte(input) % G_N_ELEMENTS(protocols)];
}

static void put_right_v6(Input *input, uint8_t what, guint8 *ip, gsize size)
{
    static const guint8 protocols[] = {6, 17, 58, 1};
    guint8 address[16];
    if ((what & PUT_IP) != 0) {
        ip[0] = 0x60;
        put_u16(ip + 4, (guint)(size - 40));
    }
    if ((what & PUT_SOURCE) != 0) {
        memcpy(ip + 8, prefix, 16);
        ip[23] = next_byte(input) % 4 == 0 ? 0x14 : 0x15;
    }
    if ((what & PUT_TARGET) != 0 && read_address(input, address) == 6)
        memcpy(ip + 24, address, 16);
    if ((what & PUT_PROTOCOL) != 0)
        ip[6] = protocols[next_byte(input) % G_N_ELEMENTS(protocols)];
}

static void put_right(Input *input, guint8 *frame, gsize size)
{
    static const guint8 station[6] = {0x52, 0x54, 0, 1, 2, 3};
    static const guint16 types[] = {0x0800, 0x86dd, 0x0806, 0x0800, 0x86dd};
    uint8_t what = next_byte(input);
    if (size < 14)
        return;
    if ((what & PUT_STATION) != 0)
        memcpy(frame + 6, station, 6);
    if ((what & PUT_TYPE) != 0)
        put_u16(frame + 12, types[next_byte(input) % G_N_ELEMENTS(types)]);
    guint type = get_u16(frame + 12);
    gsize payload = 14 + (type == 0x86dd ? 40 : 20);
    if (size < payload)
        return;
    if (type == 0x0800)
        put_right_v4(input, what, frame + 14, size - 14);
    else if (type == 0x86dd)
        put_right_v6(input, what, frame + 14, size - 14);
    if ((what & PUT_PROTOCOL) != 0 && size >= payload + 20) {
        guint8 protocol = type == 0x0800 ? frame[23] : frame[20];
        if (protocol == 6)
            frame[payload + 12] = 0x50;
        if (protocol == 17)
            put_u16(frame + payload + 4, (guint)(size - payload));
        if (next_byte(input) % 4 != 0) { /* a port from a policy, or of a name server */
            uint8_t choice = next_byte(input) % 4;
            put_u16(frame + payload + 2, choice == 0 ? 80 : choice == 2 ? 53 : next_byte(input));
        }
    }
}

/* --- an independent implementation of the rules
 * ------------------------------------------------ */

static bool bit(const guint8 *bytes, guint index)
{
    return (bytes[index / 8] >> (7 - index % 8) & 1) != 0;
}

static bool matches(guint8 family, const guint8 *address, const char *network)
{
    g_auto(GStrv) parts = g_strsplit(network, "/", 2);
    guint8 other[16];
    bool v6 = strchr(network, ':') != NULL;
    g_assert_cmpint(inet_pton(v6 ? AF_INET6 : AF_INET, parts[0], other), ==, 1);
    if (v6 != (family == 6))
        return false;
    for (guint i = 0; i < (guint)g_ascii_strtoull(parts[1], NULL, 10); i++)
        if (bit(address, i) != bit(other, i))
            return false;
    return true;
}

static bool matches_any(guint8 family, const guint8 *address, const char *const *networks)
{
    for (; *networks != NULL; networks++)
        if (matches(family, address, *networks))
            return true;
    return false;
}

static bool in_ranges(guint8 family, const guint8 *address, gint port,
                      const BerthAccessRange *ranges, guint count)
{
    for (guint i = 0; i < count; i++) {
        const BerthAccessRange *range = &ranges[i];
        guint same = 0;
        if (range->family != family)
            continue;
        while (same < range->bits && bit(address, same) == bit(range->address, same))
            same++;
        if (same == range->bits && (port < 0 || range->port == 0 || range->port == port))
            return true;
    }
    return false;
}

static const char *const never[] = {
    "0.0.0.0/8",     "127.0.0.0/8",     "255.255.255.255/32", "::/96",
    "::ffff:0:0/96", "::ffff:0:0:0/96", "fec0::/10",          NULL,
};
static const char *const neighbours[] = {"ff02::/16", "fe80::2/128", "fe80::3/128", NULL};
static const char *const on_link[] = {"ff00::/8", "fe80::/10", NULL};
static const char *const gateway[] = {"10.0.2.2/32", PREFIX_TEXT "2/128", NULL};
static const char *const server[] = {"10.0.2.3/32", PREFIX_TEXT "3/128", NULL};
static const char *const network[] = {"10.0.2.0/24", PREFIX_TEXT "/64", NULL};
static const char *const guest[] = {"10.0.2.15/32", PREFIX_TEXT "15/128", NULL};
static const char *const proxies[] = {"10.0.2.14/32", PREFIX_TEXT "14/128", NULL};
static const char *const metadata[] = {"169.254.169.254/32", "100.100.100.200/32",
                                       "fd00:ec2::254/128", "fd20:ce::254/128", NULL};
static const char *const links[] = {"169.254.0.0/16", NULL};
static const char *const near_host[] = {"198.19.255.0/24", "224.0.0.0/4", NULL};
static const char *const nat64[] = {"64:ff9b::/96", NULL};

typedef enum { FREE, NOT_FREE, UNSAID } Policy;

static Policy outside(const BerthAccess *access, guint8 family, const guint8 *to, guint16 port)
{
    if (matches_any(family, to, nat64))
        return outside(access, 4, to + 12, port);
    if (matches_any(family, to, metadata))
        return NOT_FREE;
    if (access->isolated && (in_ranges(family, to, -1, access->own, access->n_own) ||
                             matches_any(family, to, near_host)))
        return NOT_FREE;

    bool link = matches_any(family, to, links), listed = false;
    for (guint i = 0; i < access->n_outbound; i++)
        if (in_ranges(family, to, port, &access->outbound[i], 1) &&
            (!link || access->outbound[i].bits >= 16))
            listed = true;
    bool wide = !link && access->n_outbound == 0 && !(access->isolated && access->own_incomplete);
    return listed || wide ? FREE : NOT_FREE;
}

static Policy policy_of(const BerthAccess *access, guint8 family, const guint8 *to, guint16 port,
                        bool ping)
{
    if (matches_any(family, to, server))
        return ping || port == 53 ? FREE : NOT_FREE;
    if (ping && matches_any(family, to, gateway))
        return FREE;
    if (!access->known)
        return UNSAID;
    if (!matches_any(family, to, gateway))
        return outside(access, family, to, port);
    bool listed = false;
    for (guint i = 0; i < access->n_ports; i++)
        listed = listed || access->ports[i] == port;
    return !access->isolated && (access->host_all || listed) ? FREE : NOT_FREE;
}

/* Read the port, or the ping, of a frame that begins a connection; false: it begins none. */
static bool begins(const guint8 *payload, guint8 protocol, bool first, guint16 *ret_port,
                   bool *ret_ping)
{
    *ret_ping = protocol == 1 || protocol == 58;
    *ret_port = 0;
    if (*ret_ping)
        return protocol == 1 || (payload[0] != 135 && payload[0] != 136);
    if (protocol == 17 && !first)
        return false;
    *ret_port = get_u16(payload + 2);
    return protocol == 17 || ((payload[13] & 0x02) != 0 && (payload[13] & 0x10) == 0);
}

static void check_packet(const BerthAccess *access, const guint8 *frame, gsize size,
                         BerthFilterVerdict verdict)
{
    bool v6 = frame[12] == 0x86;
    const guint8 *ip = frame + 14;
    const guint8 *payload = ip + (v6 ? 40 : (ip[0] & 15) * 4);
    const guint8 *from = ip + (v6 ? 8 : 12), *to = ip + (v6 ? 24 : 16);
    guint8 family = v6 ? 6 : 4, protocol = v6 ? ip[6] : ip[9];
    bool first = v6 || (get_u16(ip + 6) & 0x1fff) == 0;
    bool discovery = v6 && protocol == 58 && (payload[0] == 135 || payload[0] == 136);
    g_assert_true(payload <= frame + size);
    g_assert_true(protocol == 6 || protocol == 17 || protocol == (v6 ? 58 : 1));
    bool answers = protocol == 6 && (payload[13] & 0x12) != 0x02;
    g_assert_true(matches_any(family, from, guest) || discovery ||
                  (matches_any(family, from, proxies) && answers));
    g_assert_false(matches_any(family, to, never));
    if (matches_any(family, to, on_link))
        g_assert_true(discovery && matches_any(family, to, neighbours));
    if (matches_any(family, to, network))
        g_assert_true(matches_any(family, to, gateway) || matches_any(family, to, server));
    if (protocol == 6) {
        g_assert_cmpuint((gsize)(payload - frame) + 20, <=, size);
        g_assert_cmpuint(payload[13] & 0x20, ==, 0);
    }

    guint16 port;
    bool ping;
    Policy policy = FREE;
    if (begins(payload, protocol, first, &port, &ping))
        policy = policy_of(access, family, to, port, ping);
    if (verdict == BERTH_FILTER_PASS)
        g_assert_cmpint(policy, ==, FREE);
    else if (verdict == BERTH_FILTER_EARLY)
        g_assert_cmpint(policy, ==, UNSAID);
    else
        g_assert_cmpint(policy, ==, NOT_FREE);
}

/* --- the answer ------------------------------------------------------------------------------- */

static void check_answer(const guint8 *frame, gsize size, BerthRejectReason reason)
{
    g_autofree guint8 *answer = g_malloc(BERTH_REJECT_MAX);
    gsize answered = berth_reject_frame(frame, size, reason, answer);
    BerthPacket asked, packet;
    g_assert_cmpuint(answered, <=, BERTH_REJECT_MAX);
    if (answered == 0)
        return;
    g_assert_true(berth_packet_read(frame, size, &asked));
    g_assert_true(berth_packet_read(answer, answered, &packet));
    g_assert_cmpuint(packet.family, ==, asked.family);
    g_assert_cmpmem(packet.source, packet.address_size, asked.destination, asked.address_size);
    g_assert_cmpmem(packet.destination, packet.address_size, asked.source, asked.address_size);
    g_assert_cmpuint(14 + packet.header_size + packet.size, ==, answered);
    guint32 pseudo = packet.protocol == 1 ? 0
                                          : sum((guint32)packet.size + packet.protocol,
                                                packet.source, 2 * packet.address_size);
    g_assert_cmphex(fold(sum(pseudo, packet.payload, packet.size)), ==, 0);
    g_assert_true(packet.protocol != 6 || packet.payload[13] == 0x14);

    guint8 again[BERTH_REJECT_MAX]; /* a reply must not cause a reply */
    g_assert_cmpuint(berth_reject_frame(answer, answered, reason, again), ==, 0);
}

/* --- the translation ------------------------------------------------------------------------- */

/* Check that a passed frame, translated for a name server with IPv6, is still a valid packet. */
static void check_translation(const guint8 *passed, gsize size)
{
    BerthNat nat = {.server = {.address6 = {0x20, 1, [15] = 0x53}, .port = 53}};
    g_autofree guint8 *frame = g_malloc(size + BERTH_NAT_GROWTH);
    BerthPacket before, after;
    memcpy(frame, passed, size);
    gsize translated = berth_nat_from_guest(&nat, frame, size);
    g_assert_cmpuint(translated, <=, size + BERTH_NAT_GROWTH);
    if (!berth_packet_read(passed, size, &before))
        return;
    g_assert_true(berth_packet_read(frame, translated, &after));
    g_assert_cmpuint(after.protocol, ==, before.protocol);
    g_assert_cmpuint(after.size, ==, before.size);
    if (after.family != before.family)
        g_assert_cmpmem(after.destination, 16, nat.server.address6, 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = {data, data + size};
    BerthAccess access;
    read_policy(&input, &access);
    Input hints = input;
    input.next += MIN((gsize)(input.end - input.next), 12);
    gsize frame_size = (gsize)(input.end - input.next);
    g_autofree guint8 *frame = g_memdup2(input.next, frame_size);
    put_right(&hints, frame, frame_size);

    BerthFilter filter = {.access = &access};
    memcpy(filter.prefix6, prefix, sizeof(prefix));
    BerthFilterVerdict verdict = berth_filter_frame(&filter, frame, frame_size);
    g_assert_cmpint(verdict, <, BERTH_FILTER_VERDICTS);
    bool far = verdict == BERTH_FILTER_PASS || verdict >= BERTH_FILTER_EARLY;
    if (far && frame[13] == 0x06)
        g_assert_cmpuint(frame_size, >=, 42);
    else if (far)
        check_packet(&access, frame, frame_size, verdict);
    if (verdict == BERTH_FILTER_PASS)
        check_translation(frame, frame_size);
    check_answer(frame, frame_size, BERTH_REJECT_PORT);
    check_answer(frame, frame_size, BERTH_REJECT_POLICY);
    return 0;
}

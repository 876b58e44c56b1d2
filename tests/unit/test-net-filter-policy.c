/* SPDX-License-Identifier: MIT */
/* The access policy: connections that pass, and connections that are refused. */
#include "../lib/filter_frames.h"
#include "net/filter.h"

#include <string.h>

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/filter/pings-without-permission", test_pings_without_permission);
    g_test_add_func("/net/filter/policies", test_policies);
    return g_test_run();
}

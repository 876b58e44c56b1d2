/* SPDX-License-Identifier: MIT */
#include "model/access.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <string.h>

static BerthAccess access_of(const char *ports, const char *outbound, bool isolated)
{
    BerthAccess access = {.known = 1, .isolated = isolated};
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_access_add_ports(&access, ports, &error));
    g_assert_no_error(error);
    g_assert_true(berth_access_add_outbound(&access, outbound, &error));
    g_assert_no_error(error);
    g_assert_true(berth_access_is_sound(&access));
    return access;
}

static BerthAccessAnswer ask(const BerthAccess *access, const char *text, guint16 port)
{
    guint8 address[16] = {0};
    bool v6 = strchr(text, ':') != NULL;
    g_assert_cmpint(inet_pton(v6 ? AF_INET6 : AF_INET, text, address), ==, 1);
    return berth_access_outside(access, v6 ? 6 : 4, address, port);
}

static void test_unset_policy_allows_nothing(void)
{
    const BerthAccess nothing = {0};
    g_assert_cmpint(berth_access_host(&nothing, 80), ==, BERTH_ACCESS_UNKNOWN);
    g_assert_cmpint(ask(&nothing, "8.8.8.8", 53), ==, BERTH_ACCESS_UNKNOWN);
    g_assert_cmpint(ask(&nothing, "2001:db8::1", 53), ==, BERTH_ACCESS_UNKNOWN);
}

static void test_host_ports(void)
{
    static const struct {
        const char *ports;
        bool isolated;
        bool open_80, open_5432;
    } cases[] = {
        {"", false, false, false},        {"5432", false, false, true},
        {"80, 5432", false, true, true},  {" 80 ,,5432 ", false, true, true},
        {"80 80 80", false, true, false}, {"all", false, true, true},
        {"80,all", false, true, true},    {"all", true, false, false},
        {"80", true, false, false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        BerthAccess access = access_of(cases[i].ports, "", cases[i].isolated);
        g_assert_true((berth_access_host(&access, 80) == BERTH_ACCESS_OPEN) == cases[i].open_80);
        g_assert_true((berth_access_host(&access, 5432) == BERTH_ACCESS_OPEN) ==
                      cases[i].open_5432);
    }
}

static void test_bad_ports(void)
{
    static const char *const bad[] = {"0", "65536", "-1", "http", "80x", "80;81", "ALL", "80-90"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        BerthAccess access = {0};
        g_autoptr(GError) error = NULL;
        g_assert_false(berth_access_add_ports(&access, bad[i], &error));
        g_assert_cmpstr(berth_error_id(error), ==, "access.port");
        g_assert_nonnull(berth_error_hint(error));
    }

    g_autoptr(GString) many = g_string_new(NULL);
    for (guint i = 1; i <= BERTH_ACCESS_PORTS_MAX + 1; i++)
        g_string_append_printf(many, "%u,", i);
    BerthAccess access = {0};
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_access_add_ports(&access, many->str, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "access.ports");
}

static void test_one_port_more(void)
{
    BerthAccess access = access_of("80", "", false);
    g_assert_true(berth_access_allow(&access, 3128));
    g_assert_true(berth_access_allow(&access, 3128));
    g_assert_cmpuint(access.n_ports, ==, 2);
    g_assert_cmpint(berth_access_host(&access, 3128), ==, BERTH_ACCESS_OPEN);
    g_assert_cmpint(berth_access_host(&access, 3129), ==, BERTH_ACCESS_REFUSED);
    for (guint16 port = 1; access.n_ports < BERTH_ACCESS_PORTS_MAX; port++)
        g_assert_true(berth_access_allow(&access, port));
    g_assert_false(berth_access_allow(&access, 9999));

    BerthAccess isolated = access_of("", "", true);
    g_assert_false(berth_access_allow(&isolated, 3128));
}

static void test_metadata_is_always_refused(void)
{
    static const char *const services[] = {"169.254.169.254", "100.100.100.200", "fd00:ec2::254",
                                           "fd20:ce::254", "64:ff9b::169.254.169.254"};
    const BerthAccess policies[] = {
        access_of("all", "", false),
        access_of("", "169.254.169.254", false),
        access_of("", "169.254.169.254:80 0.0.0.0/0 ::/0 fd00:ec2::254", false),
        access_of("", "169.254.0.0/16 0.0.0.0/0 ::/0", true),
    };
    for (gsize i = 0; i < G_N_ELEMENTS(policies); i++)
        for (gsize j = 0; j < G_N_ELEMENTS(services); j++) {
            g_assert_cmpint(ask(&policies[i], services[j], 80), ==, BERTH_ACCESS_REFUSED);
            g_assert_cmpint(ask(&policies[i], services[j], 0), ==, BERTH_ACCESS_REFUSED);
        }
}

static void test_link_local_needs_its_own_entry(void)
{
    BerthAccess open = access_of("", "", false);
    BerthAccess wide = access_of("", "0.0.0.0/0", false);
    BerthAccess named = access_of("", "0.0.0.0/0, 169.254.1.0/24", false);
    g_assert_cmpint(ask(&open, "169.254.1.1", 80), ==, BERTH_ACCESS_REFUSED);
    g_assert_cmpint(ask(&wide, "169.254.1.1", 80), ==, BERTH_ACCESS_REFUSED);
    g_assert_cmpint(ask(&named, "169.254.1.1", 80), ==, BERTH_ACCESS_OPEN);
    g_assert_cmpint(ask(&named, "169.254.2.1", 80), ==, BERTH_ACCESS_REFUSED);
    g_assert_cmpint(ask(&named, "8.8.8.8", 80), ==, BERTH_ACCESS_OPEN);
}

static void test_outbound(void)
{
    BerthAccess access = access_of(
        "", "10.1.0.0/16; 192.0.2.7:443, [2001:db8::/32]:22 2001:db8:1::5 [2001:db8:2::1]", false);
    static const struct {
        const char *address;
        guint16 port;
        bool open;
    } cases[] = {
        {"10.1.2.3", 80, true},           {"10.1.2.3", 0, true},
        {"10.2.0.1", 80, false},          {"192.0.2.7", 443, true},
        {"192.0.2.7", 80, false},         {"192.0.2.7", 0, false},
        {"192.0.2.8", 443, false},        {"2001:db8:ffff::1", 22, true},
        {"2001:db8:ffff::1", 23, false},  {"2001:db8:1::5", 99, true},
        {"2001:db8:2::1", 99, true},      {"2001:db8:2::2", 99, false},
        {"2001:db9::1", 22, false},       {"64:ff9b::10.1.2.3", 80, true},
        {"64:ff9b::10.2.2.3", 80, false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s %u", cases[i].address, cases[i].port);
        g_assert_true((ask(&access, cases[i].address, cases[i].port) == BERTH_ACCESS_OPEN) ==
                      cases[i].open);
    }
}

static void test_outbound_none(void)
{
    BerthAccess access = access_of("", "none", false);
    static const char *const addresses[] = {"8.8.8.8", "10.0.0.1",        "169.254.169.254",
                                            "0.0.0.0", "255.255.255.255", "::1",
                                            "::",      "2001:db8::1",     "198.19.255.2"};
    for (gsize i = 0; i < G_N_ELEMENTS(addresses); i++)
        g_assert_cmpint(ask(&access, addresses[i], 80), ==, BERTH_ACCESS_REFUSED);

    access = access_of("", "none 10.0.0.1", false); /* the others count */
    g_assert_cmpint(ask(&access, "10.0.0.1", 80), ==, BERTH_ACCESS_OPEN);
    g_assert_cmpint(ask(&access, "10.0.0.2", 80), ==, BERTH_ACCESS_REFUSED);
}

static void test_bad_outbound(void)
{
    static const char *const bad[] = {
        "example.org",  "10.0.0.0/33",   "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:", "10.0.0",
        "/8",           ":80",           "[::1",       "[::1]:",         "[::1]x",    "[::1]80",
        "::1/129",      "[10.0.0.1]:80", "::g",        "10.0.0.0/",      "[]",        "10.0.0.0/-1",
        "fe80::1%eth0", "[::1]:80:80",   "None",       "none/8",         "none:80",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        BerthAccess access = {0};
        g_autoptr(GError) error = NULL;
        g_test_message("%s", bad[i]);
        g_assert_false(berth_access_add_outbound(&access, bad[i], &error));
        g_assert_cmpstr(berth_error_id(error), ==, "access.address");
        g_assert_nonnull(berth_error_hint(error));
    }

    g_autoptr(GString) many = g_string_new(NULL);
    for (guint i = 0; i <= BERTH_ACCESS_OUTBOUND_MAX; i++)
        g_string_append_printf(many, "10.0.0.%u ", i);
    BerthAccess access = {0};
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_access_add_outbound(&access, many->str, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "access.outbound");
}

static void test_isolated(void)
{
    static const guint8 lan[4] = {192, 168, 1, 5}, routed[4] = {172, 20, 0, 0};
    static const guint8 global[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 9};
    BerthAccess access = access_of("all", "", true);
    berth_access_add_own(&access, 4, lan, 32);
    berth_access_add_own(&access, 4, routed, 16);
    berth_access_add_own(&access, 6, global, 128);
    BerthAccess listed = access;
    g_assert_true(berth_access_add_outbound(&listed, "0.0.0.0/0 192.168.1.5 ::/0", NULL));

    static const char *const closed[] = {"192.168.1.5",  "172.20.3.4", "2001:db8::9",
                                         "198.19.255.7", "224.0.0.1",  "64:ff9b::192.168.1.5"};
    static const char *const open[] = {"192.168.1.6", "172.21.0.1", "8.8.8.8", "2001:db8::8"};
    for (gsize i = 0; i < G_N_ELEMENTS(closed); i++) {
        g_assert_cmpint(ask(&access, closed[i], 80), ==, BERTH_ACCESS_REFUSED);
        g_assert_cmpint(ask(&listed, closed[i], 80), ==, BERTH_ACCESS_REFUSED);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(open); i++) {
        g_assert_cmpint(ask(&access, open[i], 80), ==, BERTH_ACCESS_OPEN);
        g_assert_cmpint(ask(&listed, open[i], 80), ==, BERTH_ACCESS_OPEN);
    }
    access.isolated = 0; /* without isolation they are ordinary addresses */
    g_assert_cmpint(ask(&access, "192.168.1.5", 80), ==, BERTH_ACCESS_OPEN);
}

static void test_excess_own_addresses_close_all(void)
{
    BerthAccess access = access_of("", "", true);
    for (guint i = 0; i < BERTH_ACCESS_OWN_MAX + 5; i++) {
        const guint8 address[4] = {172, 16, (guint8)(i >> 8), (guint8)i};
        berth_access_add_own(&access, 4, address, 32);
    }
    g_assert_true(berth_access_is_sound(&access));
    g_assert_cmpint(ask(&access, "172.16.1.4", 80), ==, BERTH_ACCESS_REFUSED);
    g_assert_cmpint(ask(&access, "8.8.8.8", 80), ==, BERTH_ACCESS_REFUSED);
    g_assert_true(berth_access_add_outbound(&access, "8.8.8.8", NULL));
    g_assert_cmpint(ask(&access, "8.8.8.8", 80), ==, BERTH_ACCESS_OPEN);
}

static void test_invalid_values_are_detected(void)
{
    BerthAccess access = {.n_ports = BERTH_ACCESS_PORTS_MAX + 1};
    g_assert_false(berth_access_is_sound(&access));
    access = (BerthAccess){.n_own = BERTH_ACCESS_OWN_MAX + 1};
    g_assert_false(berth_access_is_sound(&access));
    access = (BerthAccess){.n_outbound = 1, .outbound[0] = {.family = 4, .bits = 33}};
    g_assert_false(berth_access_is_sound(&access));
    access = (BerthAccess){.n_own = 1, .own[0] = {.family = 5}};
    g_assert_false(berth_access_is_sound(&access));
}

static void test_same_network(void)
{
    static const guint8 left[4] = {10, 0, 0x80, 1}, right[4] = {10, 0, 0xc0, 1};
    g_assert_true(berth_access_same_network(left, right, 0));
    g_assert_true(berth_access_same_network(left, right, 16));
    g_assert_true(berth_access_same_network(left, right, 17));
    g_assert_false(berth_access_same_network(left, right, 18));
    g_assert_false(berth_access_same_network(left, right, 32));
    g_assert_true(berth_access_same_network(left, left, 32));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add_func("/model/access/" name, function)
    ADD("unset-policy-allows-nothing", test_unset_policy_allows_nothing);
    ADD("host-ports", test_host_ports);
    ADD("bad-ports", test_bad_ports);
    ADD("one-port-more", test_one_port_more);
    ADD("metadata-is-always-refused", test_metadata_is_always_refused);
    ADD("link-local-needs-its-own-entry", test_link_local_needs_its_own_entry);
    ADD("outbound", test_outbound);
    ADD("outbound-none", test_outbound_none);
    ADD("bad-outbound", test_bad_outbound);
    ADD("isolated", test_isolated);
    ADD("excess-own-addresses-close-all", test_excess_own_addresses_close_all);
    ADD("invalid-values-are-detected", test_invalid_values_are_detected);
    ADD("same-network", test_same_network);
    return g_test_run();
}

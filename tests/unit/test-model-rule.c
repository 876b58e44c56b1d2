/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/rule.h"

#include <string.h>

static void test_syntax(void)
{
    static const struct {
        const char *text;
        const char *canonical;
    } cases[] = {
        {"8080", "8080:8080"},
        {" 8080 ", "8080:8080"},
        {"8080/tcp", "8080:8080"},
        {"tcp:8080", "8080:8080"},
        {"localhost:3000:80", "3000:80"},
        {"localhost:80", "80:80"},
        {"3000:80", "3000:80"},
        {"udp:5353", "5353:5353/udp"},
        {"UDP:5353", "5353:5353/udp"},
        {"5353/udp", "5353:5353/udp"},
        {"udp:53:5353", "53:5353/udp"},
        {"0.0.0.0:8080:80", "0.0.0.0:8080:80"},
        {"192.168.1.5:8080:80/udp", "192.168.1.5:8080:80/udp"},
        {"127.0.0.2:80", "127.0.0.2:80:80"},
        {"[::1]:80", "[::1]:80:80"},
        {"[::]:443:8443", "[::]:443:8443"},
        {"[2001:DB8::1]:1:65535/udp", "[2001:db8::1]:1:65535/udp"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        BerthRule rule, again;
        g_autoptr(GError) error = NULL;
        g_assert_true(berth_rule_parse(cases[i].text, &rule, &error));
        g_assert_no_error(error);
        g_autofree char *text = berth_rule_format(&rule);
        g_assert_cmpstr(text, ==, cases[i].canonical);
        g_assert_true(berth_rule_parse(text, &again, NULL));
        g_assert_true(berth_rule_equal(&rule, &again));
    }
}

static void test_invalid_rules(void)
{
    static const struct {
        const char *text;
        const char *word; /* of the message */
    } cases[] = {
        {"", "it is empty"},
        {"  ", "it is empty"},
        {"0", "port"},
        {"65536", "port"},
        {"-1", "port"},
        {"+80", "port"},
        {"80:", "port"},
        {"80:0", "port"},
        {"http", "port"},
        {"80/sctp", "protocol"},
        {"80/", "protocol"},
        {"udp:80/udp", "protocol"},
        {"tcp:80/udp", "protocol"},
        {"/udp", "port"},
        {"udp:", "port"},
        {":80", "address"},
        {"1:2:3", "address"},
        {"host:80:80", "address"},
        {"::1:80", "address"},
        {"[::1]", "address"},
        {"[::1]80", "address"},
        {"[::1:80", "address"},
        {"[]:80", "address"},
        {"[fe80::1%eth0]:80", "address"},
        {"[ff02::1]:80", "address"},
        {"[::ffff:127.0.0.1]:80", "address"},
        {"256.0.0.1:80", "address"},
        {"127.1:80", "address"},
        {"224.0.0.1:80", "address"},
        {"255.255.255.255:80", "address"},
        {"127.0.0.1:1:2:3", "port"},
        {"80 81", "port"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        BerthRule rule = {.guest_port = 7};
        g_autoptr(GError) error = NULL;
        g_assert_false(berth_rule_parse(cases[i].text, &rule, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "forward.rule");
        g_assert_nonnull(berth_error_hint(error));
        if (strstr(error->message, cases[i].word) == NULL)
            g_error("%s", error->message);
        g_assert_cmpuint(rule.guest_port, ==, 7);
    }
}

static void test_host_side(void)
{
    static const struct {
        const char *text, *host;
    } cases[] = {{"8080:80", "8080"}, {"0.0.0.0:1:2", "0.0.0.0:1"}, {"[::1]:1:2", "[::1]:1"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        BerthRule rule;
        g_assert_true(berth_rule_parse(cases[i].text, &rule, NULL));
        g_autofree char *host = berth_rule_host(&rule);
        g_assert_cmpstr(host, ==, cases[i].host);
    }
}

static void test_lists(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) rules = berth_rule_parse_list(" \"0.0.0.0:80\" , [::]:80;; udp:53 ", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(rules->len, ==, 3);
    g_assert_cmpint(g_array_index(rules, BerthRule, 2).protocol, ==, BERTH_UDP);
    g_autoptr(GArray) ports = berth_rule_parse_ports("22, 25,,5355", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(ports->len, ==, 3);
    g_assert_cmpuint(g_array_index(ports, guint16, 2), ==, 5355);

    g_autoptr(GArray) none = berth_rule_parse_ports(NULL, &error);
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_null(berth_rule_parse_list("80,x", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "forward.rule");
    g_clear_error(&error);
    static const char *const bad[] = {"0", "22;x", "22-25", "65536", "22 25"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_null(berth_rule_parse_ports(bad[i], &error));
        g_assert_cmpstr(berth_error_id(error), ==, "forward.port");
        g_clear_error(&error);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/rule/syntax", test_syntax);
    g_test_add_func("/model/rule/invalid-rules", test_invalid_rules);
    g_test_add_func("/model/rule/host-side", test_host_side);
    g_test_add_func("/model/rule/lists", test_lists);
    return g_test_run();
}

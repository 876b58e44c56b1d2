/* SPDX-License-Identifier: MIT */
#include "net/resolv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* The servers in @text as "v4 address:port, ...". */
static char *servers_in(const char *text)
{
    BerthResolvers resolvers = berth_resolv_parse(text);
    GString *list = g_string_new(NULL);
    for (guint i = 0; i < resolvers.count; i++) {
        const BerthResolver *each = &resolvers.list[i];
        char address[INET6_ADDRSTRLEN];
        inet_ntop(each->family == 4 ? AF_INET : AF_INET6, each->address, address, sizeof(address));
        g_string_append_printf(list, "%s%s %u %u", i == 0 ? "" : ", ", address, each->port,
                               each->scope);
    }
    return g_string_free(list, FALSE);
}

static void test_files(void)
{
    static const struct {
        const char *text;
        const char *servers;
    } cases[] = {
        {"", ""},
        {"\n\n", ""},
        {"nameserver 192.0.2.1\n", "192.0.2.1 53 0"},
        {"nameserver 192.0.2.1", "192.0.2.1 53 0"},
        {"nameserver\t127.0.0.53  \r\n", "127.0.0.53 53 0"},
        {"# by hand\nsearch example.com\nnameserver 192.0.2.1 # the first\n"
         "options edns0\nnameserver 2001:db8::1\n",
         "192.0.2.1 53 0, 2001:db8::1 53 0"},
        {"nameserver fe80::1%lo\n", "fe80::1 53 1"},
        {"nameserver fe80::1%77\n", "fe80::1 53 77"},
        {"nameserver fe80::1%nosuch\n", "fe80::1 53 0"},
        {"nameserver 127.0.0.1:5353\n", "127.0.0.1 5353 0"},
        {"nameserver [::1]:5353\n", "::1 5353 0"},
        {"nameserver ::1\n", "::1 53 0"},
        {";nameserver 192.0.2.1\n", ""},
        {" nameserver 192.0.2.1\n", ""},
        {"nameservers 192.0.2.1\n", ""},
        {"nameserver\n", ""},
        {"nameserver \n", ""},
        {"nameserver dns.example.com\n", ""},
        {"nameserver 192.0.2.300\nnameserver 192.0.2.2\n", "192.0.2.2 53 0"},
        {"nameserver 192.0.2.1:0\n", ""},
        {"nameserver 192.0.2.1:65536\n", ""},
        {"nameserver [::1\n", ""},
        {"nameserver [::1]\n", ""},
        {"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
         "nameserver 192.0.2.4\nnameserver 192.0.2.5\n",
         "192.0.2.1 53 0, 192.0.2.2 53 0, 192.0.2.3 53 0, 192.0.2.4 53 0"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *servers = servers_in(cases[i].text);
        g_test_message("%s", cases[i].text);
        g_assert_cmpstr(servers, ==, cases[i].servers);
    }
}

/* Skipped lines must leave no bytes behind, or equal lists would compare as different. */
static void test_equal_lists_are_equal_bytes(void)
{
    BerthResolvers plain = berth_resolv_parse("nameserver 192.0.2.1\n");
    BerthResolvers odd = berth_resolv_parse("nameserver 192.0.2.1\nnameserver fe80::x%lo\n"
                                            "nameserver 1.2.3.4:99999\nnameserver fe80::x%lo\n");
    g_assert_cmpmem(&plain, sizeof(plain), &odd, sizeof(odd));
}

static void test_random_text(void)
{
    static const char letters[] = "nameserver \t\n[]:%.0123456789abcdef";
    for (guint i = 0; i < 20000; i++) {
        GString *text = g_string_new("nameserver ");
        for (gint left = g_test_rand_int_range(0, 60); left > 0; left--)
            g_string_append_c(text, letters[g_test_rand_int_range(0, sizeof(letters) - 1)]);
        BerthResolvers resolvers = berth_resolv_parse(text->str);
        g_assert_cmpuint(resolvers.count, <=, BERTH_RESOLVERS_MAX);
        for (guint j = 0; j < resolvers.count; j++) {
            struct sockaddr_storage address;
            g_assert_cmpuint(resolvers.list[j].port, !=, 0);
            g_assert_cmpuint(berth_resolver_address(&resolvers.list[j], &address), >, 0);
        }
        g_string_free(text, TRUE);
    }
}

static void test_socket_addresses(void)
{
    BerthResolvers resolvers =
        berth_resolv_parse("nameserver 192.0.2.1:99\nnameserver fe80::5%lo\n");
    struct sockaddr_storage address;
    g_assert_cmpuint(berth_resolver_address(&resolvers.list[0], &address), ==,
                     sizeof(struct sockaddr_in));
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
    g_assert_cmpuint(ntohs(v4->sin_port), ==, 99);
    g_assert_cmphex(ntohl(v4->sin_addr.s_addr), ==, 0xc0000201);
    g_assert_cmpuint(berth_resolver_address(&resolvers.list[1], &address), ==,
                     sizeof(struct sockaddr_in6));
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
    g_assert_cmpuint(v6->sin6_scope_id, ==, 1);
    g_assert_cmpuint(berth_resolver_address(&resolvers.list[2], &address), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/resolv/files", test_files);
    g_test_add_func("/net/resolv/equal-lists-are-equal-bytes", test_equal_lists_are_equal_bytes);
    g_test_add_func("/net/resolv/random-text", test_random_text);
    g_test_add_func("/net/resolv/socket-addresses", test_socket_addresses);
    return g_test_run();
}

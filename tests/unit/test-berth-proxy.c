/* SPDX-License-Identifier: MIT */
#include "../../cmd/berth/proxy.h"

static void test_for_guest(void)
{
    static const struct {
        const char *value, *expected;
        guint16 port;
    } cases[] = {
        {"http://127.0.0.1:3128", "http://host.berth.internal:3128", 3128},
        {"http://127.0.0.1:3128/", "http://host.berth.internal:3128/", 3128},
        {"HTTP://LocalHost:8080/x@y", "HTTP://host.berth.internal:8080/x@y", 8080},
        {"socks5h://[::1]:1080", "socks5h://host.berth.internal:1080", 1080},
        {"http://me:p@ss@localhost:81", "http://me:p@ss@host.berth.internal:81", 81},
        {"localhost:8888", "host.berth.internal:8888", 8888},
        {"http://localhost", "http://host.berth.internal", 80},
        {"https://localhost/", "https://host.berth.internal/", 443},
        {"socks4://localhost", "socks4://host.berth.internal", 1080},
        {"http://proxy.localhost:9", "http://host.berth.internal:9", 9},
        /* not ours */
        {"http://proxy.example:3128", "http://proxy.example:3128", 0},
        {"http://127.example.org:3128", "http://127.example.org:3128", 0},
        {"http://localhost.example:3128", "http://localhost.example:3128", 0},
        {"localhost,127.0.0.1,.example", "localhost,127.0.0.1,.example", 0},
        /* invalid values are unchanged */
        {"", "", 0},
        {"http://", "http://", 0},
        {"http://[::1", "http://[::1", 0},
        {"http://localhost:0", "http://localhost:0", 0},
        {"http://localhost:99999", "http://localhost:99999", 0},
        {"http://localhost:x", "http://localhost:x", 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        guint16 port = 1;
        g_autofree char *got = proxy_for_guest(cases[i].value, &port);
        g_assert_cmpstr(got, ==, cases[i].expected);
        g_assert_cmpuint(port, ==, cases[i].port);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth/proxy/for-guest", test_for_guest);
    return g_test_run();
}

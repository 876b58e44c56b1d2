/* SPDX-License-Identifier: MIT */
#include "model/forward.h"

#include <arpa/inet.h>
#include <string.h>

static void add(GPtrArray *listeners, const char *address, guint16 port, BerthProtocol protocol)
{
    BerthListener *listener = g_new0(BerthListener, 1);
    listener->family = strchr(address, ':') != NULL ? 6 : 4;
    inet_pton(listener->family == 6 ? AF_INET6 : AF_INET, address, listener->address);
    listener->port = port;
    listener->protocol = protocol;
    listener->owner = g_strdup("server");
    g_ptr_array_add(listeners, listener);
}

static void test_reach(void)
{
    static const struct {
        const char *address;
        BerthForwardState state;
        bool loopback;
    } cases[] = {
        {"0.0.0.0", BERTH_FORWARD_WANTED, false},
        {"10.0.2.15", BERTH_FORWARD_WANTED, false},
        {"127.0.0.1", BERTH_FORWARD_WANTED, true},
        {"::", BERTH_FORWARD_WANTED, false},
        {"::ffff:127.0.0.1", BERTH_FORWARD_WANTED, true},
        {"::1", BERTH_FORWARD_IGNORED, false},
        {"127.0.0.53", BERTH_FORWARD_IGNORED, false},
        {"172.17.0.1", BERTH_FORWARD_IGNORED, false},
        {"fe80::1", BERTH_FORWARD_IGNORED, false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) listeners =
            g_ptr_array_new_with_free_func((GDestroyNotify)berth_listener_free);
        add(listeners, cases[i].address, 80, BERTH_TCP);
        g_autoptr(GPtrArray) plan = berth_forward_plan(listeners);
        g_assert_cmpuint(plan->len, ==, 1);
        const BerthForward *forward = g_ptr_array_index(plan, 0);
        g_assert_cmpint(forward->state, ==, cases[i].state);
        g_assert_true(forward->loopback == cases[i].loopback);
        g_assert_true((forward->reason != NULL) == (forward->state == BERTH_FORWARD_IGNORED));
    }
}

static void test_best_listener_of_a_port_wins(void)
{
    g_autoptr(GPtrArray) listeners =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_listener_free);
    add(listeners, "::1", 8000, BERTH_TCP);
    add(listeners, "127.0.0.1", 8000, BERTH_TCP);
    add(listeners, "0.0.0.0", 22, BERTH_TCP);
    add(listeners, "0.0.0.0", 8000, BERTH_UDP);

    g_autoptr(GPtrArray) plan = berth_forward_plan(listeners);
    g_assert_cmpuint(plan->len, ==, 3);
    const BerthForward *ssh = g_ptr_array_index(plan, 0);
    const BerthForward *web = g_ptr_array_index(plan, 1);
    const BerthForward *udp = g_ptr_array_index(plan, 2);
    g_assert_cmpuint(ssh->port, ==, 22);
    g_assert_cmpint(web->state, ==, BERTH_FORWARD_WANTED);
    g_assert_true(web->loopback);
    g_assert_cmpint(udp->state, ==, BERTH_FORWARD_IGNORED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/forward/reach", test_reach);
    g_test_add_func("/model/forward/best-listener-of-a-port-wins",
                    test_best_listener_of_a_port_wins);
    return g_test_run();
}

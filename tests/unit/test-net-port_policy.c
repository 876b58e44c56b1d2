/* SPDX-License-Identifier: MIT */
#include "net/port_policy.h"

#include "../lib/fake_net.h"

static void test_follows_the_guests_listeners(void)
{
    FakeNet net;
    fake_net_init(&net);

    listens(&net, "0.0.0.0:80 0.0.0.0:22");
    assert_requests(&net, "+22 +80 ");
    assert_states(&net, "22 wanted, 80 wanted");
    answer(&net, 0);
    answer(&net, 0);
    assert_states(&net, "22 open, 80 open");

    listens(&net, "0.0.0.0:22 0.0.0.0:80");
    assert_requests(&net, "");
    listens(&net, "0.0.0.0:80 0.0.0.0:443");
    assert_requests(&net, "-22 +443 ");
    assert_states(&net, "80 open, 443 wanted");
    listens(&net, "0.0.0.0:443");
    assert_requests(&net, "-80 ");
    listens(&net, "");
    assert_requests(&net, "-443 ");
    assert_states(&net, "");
    fake_net_clear(&net);
}

static void test_answer_to_an_earlier_request_is_ignored(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "0.0.0.0:80");
    listens(&net, "");
    listens(&net, "0.0.0.0:80");
    assert_requests(&net, "+80 -80 +80 ");
    answer(&net, 0);
    assert_states(&net, "80 wanted");
    answer(&net, EADDRINUSE);
    assert_states(&net, "80 blocked");
    fake_net_clear(&net);
}

static void test_legs_are_independent(void)
{
    FakeNet net;
    fake_net_init(&net);
    net.policy->slot = 7;
    listens(&net, "127.0.0.1:80~4");
    assert_requests(&net, "+80>4 +::1:80>4 +127.0.7.1:80>4 ");
    answer(&net, 0);
    assert_states(&net, "80 wanted"); /* until both families have answers */
    answer(&net, 0);
    assert_states(&net, "80 open");
    answer(&net, 0);

    listens(&net, "0.0.0.0:80~4"); /* the IPv4 proxy is no longer needed */
    assert_requests(&net, "-80>4 +80 -127.0.7.1:80>4 +127.0.7.1:80 ");
    assert_states(&net, "80 open"); /* on ::1 throughout */
    answer(&net, 0);
    answer(&net, 0);
    listens(&net, "*:80");
    assert_requests(&net, "-::1:80>4 +::1:80 ");
    answer(&net, 0);
    listens(&net, "0.0.0.0:80");
    assert_requests(&net, "-::1:80 ");
    g_autofree char *reason = reason_of(&net, 0);
    g_assert_cmpstr(reason, ==, "not on ::1: the service listens on IPv4 only");
    listens(&net, "");
    assert_requests(&net, "-80 -127.0.7.1:80 ");
    fake_net_clear(&net);
}

static void test_one_family_is_enough(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "*:81");
    answer(&net, EMFILE);
    assert_states(&net, "81 wanted");
    answer(&net, 0);
    assert_states(&net, "81 open");
    g_autofree char *reason = reason_of(&net, 0);
    g_assert_true(g_str_has_prefix(reason, "not on 127.0.0.1: port 81 cannot be opened"));
    g_assert_true(timer_runs());
    g_string_truncate(net.requests, 0);
    g_assert_true(berth_port_policy_retry(net.ports)); /* only the blocked leg */
    assert_requests(&net, "+81 ");
    g_assert_true(berth_port_policy_retry(net.ports)); /* in flight */
    assert_requests(&net, "");
    answer(&net, 0);
    g_assert_null(reason_of(&net, 0));
    g_assert_false(timer_runs());
    g_assert_false(berth_port_policy_retry(net.ports));
    fake_net_clear(&net);
}

static void test_host_without_ipv6(void)
{
    static const int errnums[] = {EAFNOSUPPORT, EADDRNOTAVAIL};
    for (gsize i = 0; i < G_N_ELEMENTS(errnums); i++) {
        FakeNet net;
        fake_net_init(&net);
        listens(&net, "*:80");
        answer(&net, 0);
        answer(&net, errnums[i]);
        assert_states(&net, "80 open");
        g_assert_null(reason_of(&net, 0));
        g_assert_false(timer_runs());
        listens(&net, "*:80"); /* not requested again */
        assert_requests(&net, "+80 +::1:80 ");
        listens(&net, "");
        assert_requests(&net, "-80 ");

        listens(&net, "[fd01:203:405::15]:80"); /* IPv6 only */
        answer(&net, errnums[i]);
        assert_states(&net, "80 blocked");
        fake_net_clear(&net);
    }
}

static void test_changes_are_reported(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "0.0.0.0:80");
    g_assert_cmpuint(net.changes, ==, 1);
    answer(&net, 0);
    g_assert_cmpuint(net.changes, ==, 2);
    listens(&net, "");
    g_assert_cmpuint(net.changes, ==, 3);
    berth_port_policy_reopen(net.ports);
    g_assert_cmpuint(net.changes, ==, 4);
    fake_net_clear(&net);
}

static void test_reopens_after_a_restart(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "0.0.0.0:80 0.0.0.0:81 172.17.0.1:82 0.0.0.0:83");
    answer(&net, 0);
    answer(&net, EACCES);
    answer(&net, ECONNRESET); /* berth-net died before it answered */
    assert_states(&net, "80 open, 81 blocked, 82 ignored, 83 wanted");
    g_string_truncate(net.requests, 0);

    berth_port_policy_reopen(net.ports);
    assert_states(&net, "80 wanted, 81 wanted, 82 ignored, 83 wanted");
    g_assert_cmpuint(g_queue_get_length(&net.calls), ==, 3);
    while (!g_queue_is_empty(&net.calls))
        answer(&net, 0);
    assert_states(&net, "80 open, 81 open, 82 ignored, 83 open");
    g_assert_false(timer_runs());
    fake_net_clear(&net);
}

/* More ports than may be in flight, from @first on. */
static void listens_to_many(FakeNet *net, guint first)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < 1100; i++)
        g_string_append_printf(text, "%s0.0.0.0:%u", i > 0 ? " " : "", first + i);
    listens(net, text->str);
}

static void test_flapping_guest_is_bounded(void)
{
    FakeNet net;
    fake_net_init(&net);
    for (guint round = 0; round < 20; round++)
        listens_to_many(&net, 2000 + 1500 * round);
    g_assert_cmpuint(g_queue_get_length(&net.calls), ==, 1100);
    g_string_truncate(net.requests, 0);

    listens(&net, "0.0.0.0:80"); /* only the newest plan counts */
    assert_requests(&net, "");
    while (g_queue_get_length(&net.calls) > 1)
        answer(&net, 0);
    assert_requests(&net, "");
    answer(&net, 0);
    g_assert_true(g_str_has_suffix(net.requests->str, "+80 "));
    g_assert_cmpuint(g_queue_get_length(&net.calls), ==, 1);
    answer(&net, 0);
    assert_states(&net, "80 open");

    listens_to_many(&net, 2000);
    listens_to_many(&net, 5000);
    g_string_truncate(net.requests, 0);
    listens(&net, ""); /* an empty plan is applied at once */
    g_assert_true(g_str_has_prefix(net.requests->str, "-"));
    while (!g_queue_is_empty(&net.calls))
        answer(&net, 0);
    assert_states(&net, "");
    fake_net_clear(&net);
}

static void test_answer_after_free(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "0.0.0.0:80");
    berth_port_policy_free(g_steal_pointer(&net.ports));
    answer(&net, EADDRINUSE);
    fake_net_clear(&net);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/ports/follows-the-guests-listeners", test_follows_the_guests_listeners);
    g_test_add_func("/net/ports/answer-to-an-earlier-request-is-ignored",
                    test_answer_to_an_earlier_request_is_ignored);
    g_test_add_func("/net/ports/legs-are-independent", test_legs_are_independent);
    g_test_add_func("/net/ports/one-family-is-enough", test_one_family_is_enough);
    g_test_add_func("/net/ports/host-without-ipv6", test_host_without_ipv6);
    g_test_add_func("/net/ports/changes-are-reported", test_changes_are_reported);
    g_test_add_func("/net/ports/reopens-after-a-restart", test_reopens_after_a_restart);
    g_test_add_func("/net/ports/flapping-guest-is-bounded", test_flapping_guest_is_bounded);
    g_test_add_func("/net/ports/answer-after-free", test_answer_after_free);
    return g_test_run();
}

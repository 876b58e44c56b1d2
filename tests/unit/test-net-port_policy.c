/* SPDX-License-Identifier: MIT */
#include "net/port_policy.h"

#include "../lib/asking.h"

static void test_follows_the_guests_listeners(void)
{
    World world;
    world_init(&world);

    listens(&world, "0.0.0.0:80 0.0.0.0:22");
    assert_asked(&world, "+22 +80 ");
    assert_states(&world, "22 wanted, 80 wanted");
    answer(&world, 0);
    answer(&world, 0);
    assert_states(&world, "22 open, 80 open");

    listens(&world, "0.0.0.0:22 0.0.0.0:80");
    assert_asked(&world, "");
    listens(&world, "0.0.0.0:80 0.0.0.0:443");
    assert_asked(&world, "-22 +443 ");
    assert_states(&world, "80 open, 443 wanted");
    listens(&world, "0.0.0.0:443");
    assert_asked(&world, "-80 ");
    listens(&world, "");
    assert_asked(&world, "-443 ");
    assert_states(&world, "");
    world_clear(&world);
}

static void test_answer_to_an_earlier_request_is_ignored(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:80");
    listens(&world, "");
    listens(&world, "0.0.0.0:80");
    assert_asked(&world, "+80 -80 +80 ");
    answer(&world, 0);
    assert_states(&world, "80 wanted");
    answer(&world, EADDRINUSE);
    assert_states(&world, "80 blocked");
    world_clear(&world);
}

static void test_legs_are_independent(void)
{
    World world;
    world_init(&world);
    world.policy->slot = 7;
    listens(&world, "127.0.0.1:80~4");
    assert_asked(&world, "+80>4 +::1:80>4 +127.0.7.1:80>4 ");
    answer(&world, 0);
    assert_states(&world, "80 wanted"); /* until both families have answers */
    answer(&world, 0);
    assert_states(&world, "80 open");
    answer(&world, 0);

    listens(&world, "0.0.0.0:80~4"); /* the IPv4 proxy is no longer needed */
    assert_asked(&world, "-80>4 +80 -127.0.7.1:80>4 +127.0.7.1:80 ");
    assert_states(&world, "80 open"); /* on ::1 throughout */
    answer(&world, 0);
    answer(&world, 0);
    listens(&world, "*:80");
    assert_asked(&world, "-::1:80>4 +::1:80 ");
    answer(&world, 0);
    listens(&world, "0.0.0.0:80");
    assert_asked(&world, "-::1:80 ");
    g_autofree char *reason = reason_of(&world, 0);
    g_assert_cmpstr(reason, ==, "not on ::1: the service listens on IPv4 only");
    listens(&world, "");
    assert_asked(&world, "-80 -127.0.7.1:80 ");
    world_clear(&world);
}

static void test_one_family_is_enough(void)
{
    World world;
    world_init(&world);
    listens(&world, "*:81");
    answer(&world, EMFILE);
    assert_states(&world, "81 wanted");
    answer(&world, 0);
    assert_states(&world, "81 open");
    g_autofree char *reason = reason_of(&world, 0);
    g_assert_true(g_str_has_prefix(reason, "not on 127.0.0.1: port 81 cannot be opened"));
    g_assert_true(timer_runs());
    g_string_truncate(world.asked, 0);
    g_assert_true(berth_port_policy_retry(world.ports)); /* only the blocked leg */
    assert_asked(&world, "+81 ");
    g_assert_true(berth_port_policy_retry(world.ports)); /* in flight */
    assert_asked(&world, "");
    answer(&world, 0);
    g_assert_null(reason_of(&world, 0));
    g_assert_false(timer_runs());
    g_assert_false(berth_port_policy_retry(world.ports));
    world_clear(&world);
}

static void test_host_without_ipv6(void)
{
    static const int errnums[] = {EAFNOSUPPORT, EADDRNOTAVAIL};
    for (gsize i = 0; i < G_N_ELEMENTS(errnums); i++) {
        World world;
        world_init(&world);
        listens(&world, "*:80");
        answer(&world, 0);
        answer(&world, errnums[i]);
        assert_states(&world, "80 open");
        g_assert_null(reason_of(&world, 0));
        g_assert_false(timer_runs());
        listens(&world, "*:80"); /* not requested again */
        assert_asked(&world, "+80 +::1:80 ");
        listens(&world, "");
        assert_asked(&world, "-80 ");

        listens(&world, "[fd01:203:405::15]:80"); /* IPv6 only */
        answer(&world, errnums[i]);
        assert_states(&world, "80 blocked");
        world_clear(&world);
    }
}

static void test_changes_are_reported(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:80");
    g_assert_cmpuint(world.changes, ==, 1);
    answer(&world, 0);
    g_assert_cmpuint(world.changes, ==, 2);
    listens(&world, "");
    g_assert_cmpuint(world.changes, ==, 3);
    berth_port_policy_reopen(world.ports);
    g_assert_cmpuint(world.changes, ==, 4);
    world_clear(&world);
}

static void test_reopens_after_a_restart(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:80 0.0.0.0:81 172.17.0.1:82 0.0.0.0:83");
    answer(&world, 0);
    answer(&world, EACCES);
    answer(&world, ECONNRESET); /* berth-net died before it answered */
    assert_states(&world, "80 open, 81 blocked, 82 ignored, 83 wanted");
    g_string_truncate(world.asked, 0);

    berth_port_policy_reopen(world.ports);
    assert_states(&world, "80 wanted, 81 wanted, 82 ignored, 83 wanted");
    g_assert_cmpuint(g_queue_get_length(&world.calls), ==, 3);
    while (!g_queue_is_empty(&world.calls))
        answer(&world, 0);
    assert_states(&world, "80 open, 81 open, 82 ignored, 83 open");
    g_assert_false(timer_runs());
    world_clear(&world);
}

/* More ports than may be in flight, from @first on. */
static void listens_to_many(World *world, guint first)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < 1100; i++)
        g_string_append_printf(text, "%s0.0.0.0:%u", i > 0 ? " " : "", first + i);
    listens(world, text->str);
}

static void test_flapping_guest_is_bounded(void)
{
    World world;
    world_init(&world);
    for (guint round = 0; round < 20; round++)
        listens_to_many(&world, 2000 + 1500 * round);
    g_assert_cmpuint(g_queue_get_length(&world.calls), ==, 1100);
    g_string_truncate(world.asked, 0);

    listens(&world, "0.0.0.0:80"); /* only the newest plan counts */
    assert_asked(&world, "");
    while (g_queue_get_length(&world.calls) > 1)
        answer(&world, 0);
    assert_asked(&world, "");
    answer(&world, 0);
    g_assert_true(g_str_has_suffix(world.asked->str, "+80 "));
    g_assert_cmpuint(g_queue_get_length(&world.calls), ==, 1);
    answer(&world, 0);
    assert_states(&world, "80 open");

    listens_to_many(&world, 2000);
    listens_to_many(&world, 5000);
    g_string_truncate(world.asked, 0);
    listens(&world, ""); /* an empty plan is applied at once */
    g_assert_true(g_str_has_prefix(world.asked->str, "-"));
    while (!g_queue_is_empty(&world.calls))
        answer(&world, 0);
    assert_states(&world, "");
    world_clear(&world);
}

static void test_answer_after_free(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:80");
    berth_port_policy_free(g_steal_pointer(&world.ports));
    answer(&world, EADDRINUSE);
    world_clear(&world);
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

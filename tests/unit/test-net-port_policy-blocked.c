/* SPDX-License-Identifier: MIT
 *
 * Forwards whose port is unavailable: the reason, the alternative, and the retry.
 */
#include "net/port_policy.h"

#include "../lib/fake_net.h"

#include <arpa/inet.h>
#include <unistd.h>

static int bind_any_port(guint16 *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &size), ==, 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void test_rule_with_a_foreign_address(void)
{
    FakeNet net;
    fake_net_init(&net);
    berth_forward_policy_free(net.policy);
    net.policy = listening_policy("192.0.2.1:8080:80");
    listens(&net, "");
    assert_requests(&net, "+192.0.2.1:8080>80 ");
    answer(&net, EADDRNOTAVAIL);
    assert_states(&net, "8080 blocked");
    g_autofree char *reason = reason_of(&net, 0);
    g_assert_cmpstr(reason, ==, "192.0.2.1 is not an address of this host");
    g_assert_true(timer_runs()); /* it may become blocked again */
    fake_net_clear(&net);
}

static void test_second_distro_has_its_own_address(void)
{
    FakeNet net;
    fake_net_init(&net);
    net.policy->slot = 7;
    listens(&net, "*:7777");
    answer(&net, EADDRINUSE);
    answer(&net, EADDRINUSE);
    answer(&net, 0);
    assert_states(&net, "7777 blocked");
    g_autofree char *reason = reason_of(&net, 0);
    g_assert_cmpstr(reason, ==,
                    "port 7777 is in use on this host by the distro debian; it is on "
                    "127.0.7.1:7777");
    fake_net_clear(&net);
}

static void test_port_occupied_by_own_rule(void)
{
    FakeNet net;
    fake_net_init(&net);
    berth_forward_policy_free(net.policy);
    net.policy = listening_policy("0.0.0.0:9000:90, 127.0.0.1:9000:91");
    listens(&net, "");
    answer(&net, 0);
    answer(&net, EADDRINUSE);
    g_autofree char *reason = reason_of(&net, 1);
    g_assert_cmpstr(reason, ==,
                    "port 9000 is in use on this host by its own forward 0.0.0.0:9000:90");
    fake_net_clear(&net);
}

/* Refuse privileged ports. */
static void refuse_all(FakeNet *net)
{
    for (guint left = g_queue_get_length(&net->calls); left > 0; left--)
        answer(net, EACCES);
}

static void test_privileged_port_is_offered_elsewhere(void)
{
    FakeNet net;
    fake_net_init(&net);
    net.policy->slot = 7;
    listens(&net, "*:80 *:443 *:81");
    g_string_truncate(net.requests, 0);
    refuse_all(&net);
    assert_requests(&net, "-::1:80 -127.0.7.1:80 +8080>80 +::1:8080>80 +127.0.7.1:8080>80 "
                          "-::1:443 -127.0.7.1:443 +8443>443 +::1:8443>443 +127.0.7.1:8443>443 ");
    assert_states(&net, "8080 wanted, 81 blocked, 8443 wanted");
    for (guint i = 0; i < 6; i++)
        answer(&net, i == 1 ? EMFILE : 0);
    assert_states(&net, "8080 open, 81 blocked, 8443 open");
    g_autofree char *reason = reason_of(&net, 0);
    g_assert_true(g_str_has_prefix(reason, "it is port 8080 of this host: port 80 needs"));
    g_assert_nonnull(strstr(reason, "sudo sysctl net.ipv4.ip_unprivileged_port_start=80"));
    g_assert_nonnull(strstr(reason, "; not on ::1: port 8080 cannot be opened"));

    g_string_truncate(net.requests, 0);
    listens(&net, "*:443"); /* the alternative goes with it */
    assert_requests(&net, "-8080>80 -127.0.7.1:8080>80 ");
    berth_port_policy_reopen(net.ports); /* privileges may have changed */
    assert_requests(&net, "+443 +::1:443 +127.0.7.1:443 ");
    answer(&net, 0);
    answer(&net, 0);
    assert_states(&net, "443 open");
    fake_net_clear(&net);
}

static void test_offered_port_is_wanted_by_a_service(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "0.0.0.0:80 0.0.0.0:8080");
    answer(&net, EACCES);
    answer(&net, 0);
    assert_requests(&net, "+80 +8080 ");
    assert_states(&net, "80 blocked, 8080 open");

    listens(&net, "0.0.0.0:80"); /* 8080 is free now */
    assert_requests(&net, "-8080 ");
    berth_port_policy_retry(net.ports);
    answer(&net, EACCES);
    assert_requests(&net, "+80 +8080>80 ");
    answer(&net, 0);
    assert_states(&net, "8080 open");

    listens(&net, "0.0.0.0:80 0.0.0.0:8080"); /* and wanted again */
    assert_requests(&net, "-8080>80 +8080 ");
    assert_states(&net, "80 blocked, 8080 wanted");
    answer(&net, 0);
    g_autofree char *reason = reason_of(&net, 0);
    g_assert_true(g_str_has_prefix(reason, "port 80 needs permission"));
    fake_net_clear(&net);
}

static void test_offered_port_is_busy(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "0.0.0.0:443");
    answer(&net, EACCES);
    answer(&net, EADDRINUSE);
    assert_states(&net, "8443 blocked");
    g_autofree char *reason = reason_of(&net, 0);
    g_assert_nonnull(strstr(reason, "port 443 needs permission"));
    g_assert_nonnull(strstr(reason, "; port 8443 is in use on this host by another process"));
    fake_net_clear(&net);
}

static void test_privileged_port_of_a_rule_is_kept(void)
{
    static const char *const rules[] = {"0.0.0.0:80", "80:8000", "udp:80"};
    for (gsize i = 0; i < G_N_ELEMENTS(rules); i++) {
        FakeNet net;
        fake_net_init(&net);
        berth_forward_policy_free(net.policy);
        net.policy = listening_policy(rules[i]);
        listens(&net, "");
        refuse_all(&net);
        assert_states(&net, "80 blocked");
        fake_net_clear(&net);
    }
}

static void test_unreachable_service_is_ignored(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "172.17.0.1:53");
    assert_requests(&net, "");
    assert_states(&net, "53 ignored");
    listens(&net, "172.17.0.1:53 0.0.0.0:53");
    assert_requests(&net, "+53 ");
    answer(&net, 0);
    listens(&net, "172.17.0.1:53");
    assert_requests(&net, "-53 ");
    assert_states(&net, "53 ignored");
    fake_net_clear(&net);
}

static void test_busy_port_names_its_holder(void)
{
    FakeNet net;
    fake_net_init(&net);
    guint16 port;
    int fd = bind_any_port(&port);
    g_autofree char *wanted = g_strdup_printf("0.0.0.0:%u", port);
    listens(&net, wanted);
    answer(&net, EADDRINUSE);

    g_autofree char *reason = reason_of(&net, 0);
    g_autofree char *expected = /* the kernel truncates names to 15 characters */
        g_strdup_printf("port %u is in use on this host by test-net-port_p (pid %d)", port,
                        (int)getpid());
    g_assert_cmpstr(reason, ==, expected);
    close(fd);
    fake_net_clear(&net);
}

static void test_privileged_port_names_the_sysctl(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "0.0.0.0:82");
    answer(&net, EACCES);
    g_autofree char *reason = reason_of(&net, 0);
    g_assert_nonnull(strstr(reason, "port 82 needs permission"));
    g_assert_nonnull(strstr(reason, "net.ipv4.ip_unprivileged_port_start is "));
    fake_net_clear(&net);
}

static void test_other_errors_show_strerror(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "0.0.0.0:80");
    answer(&net, EMFILE);
    g_autofree char *reason = reason_of(&net, 0);
    g_assert_nonnull(strstr(reason, g_strerror(EMFILE)));
    fake_net_clear(&net);
}

static void test_blocked_port_is_retried(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "0.0.0.0:82 0.0.0.0:83");
    g_assert_false(timer_runs());
    gint64 start = g_get_monotonic_time();
    answer(&net, EACCES);
    answer(&net, 0);
    g_assert_true(timer_runs());
    assert_requests(&net, "+82 +83 ");

    while (net.requests->len == 0)
        g_main_context_iteration(NULL, TRUE);
    gint64 took = g_get_monotonic_time() - start;
    g_assert_cmpint(took, >=, BERTH_PORTS_RETRY_MSEC * 1000);
    assert_requests(&net, "+82 ");
    assert_states(&net, "82 blocked, 83 open"); /* unchanged while the retry is in flight */
    answer(&net, 0);
    assert_states(&net, "82 open, 83 open");
    g_assert_false(timer_runs());
    fake_net_clear(&net);
}

static void test_timer_ends_with_the_last_blocked_port(void)
{
    FakeNet net;
    fake_net_init(&net);
    listens(&net, "0.0.0.0:82");
    answer(&net, EACCES);
    g_assert_true(timer_runs());
    listens(&net, "");
    g_assert_false(timer_runs());
    assert_requests(&net, "+82 ");
    fake_net_clear(&net);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/ports-blocked/rule-with-a-foreign-address",
                    test_rule_with_a_foreign_address);
    g_test_add_func("/net/ports-blocked/second-distro-has-its-own-address",
                    test_second_distro_has_its_own_address);
    g_test_add_func("/net/ports-blocked/port-occupied-by-own-rule", test_port_occupied_by_own_rule);
    g_test_add_func("/net/ports-blocked/privileged-port-is-offered-elsewhere",
                    test_privileged_port_is_offered_elsewhere);
    g_test_add_func("/net/ports-blocked/offered-port-is-wanted-by-a-service",
                    test_offered_port_is_wanted_by_a_service);
    g_test_add_func("/net/ports-blocked/offered-port-is-busy", test_offered_port_is_busy);
    g_test_add_func("/net/ports-blocked/privileged-port-of-a-rule-is-kept",
                    test_privileged_port_of_a_rule_is_kept);
    g_test_add_func("/net/ports-blocked/unreachable-service-is-ignored",
                    test_unreachable_service_is_ignored);
    g_test_add_func("/net/ports-blocked/busy-port-names-its-holder",
                    test_busy_port_names_its_holder);
    g_test_add_func("/net/ports-blocked/privileged-port-names-the-sysctl",
                    test_privileged_port_names_the_sysctl);
    g_test_add_func("/net/ports-blocked/other-errors-show-strerror",
                    test_other_errors_show_strerror);
    g_test_add_func("/net/ports-blocked/blocked-port-is-retried", test_blocked_port_is_retried);
    g_test_add_func("/net/ports-blocked/timer-ends-with-the-last-blocked-port",
                    test_timer_ends_with_the_last_blocked_port);
    return g_test_run();
}

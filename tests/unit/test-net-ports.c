/* SPDX-License-Identifier: MIT */
#include "net/ports.h"

#include "../lib/listening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Somebody to ask: remembers what was asked for and answers when told to. */
typedef struct {
    BerthPorts *ports;
    BerthForwardPolicy *policy;
    GString *asked; /* "+80 -80 " of 127.0.0.1, "+::1:80 " of others, "+80>40000 " */
    GQueue calls;   /* Call* */
    guint changes;
} World;

typedef struct {
    void (*done)(int errnum, gpointer call);
    gpointer call;
} Call;

static void note(World *world, char sign, const BerthLeg *leg)
{
    g_autofree char *address = berth_rule_address_text(leg->family, leg->host);
    bool usual = strcmp(address, "127.0.0.1") == 0;
    g_string_append_printf(world->asked, "%c%s%s%u", sign, usual ? "" : address, usual ? "" : ":",
                           leg->host_port);
    if (leg->guest_port != leg->host_port)
        g_string_append_printf(world->asked, ">%u", leg->guest_port);
    g_string_append(world->asked, " ");
}

static void world_add(const BerthLeg *leg, void (*done)(int errnum, gpointer call), gpointer call,
                      gpointer user_data)
{
    World *world = user_data;
    note(world, '+', leg);
    Call *pending = g_new(Call, 1);
    *pending = (Call){done, call};
    g_queue_push_tail(&world->calls, pending);
}

static void world_remove(const BerthLeg *leg, gpointer user_data)
{
    note(user_data, '-', leg);
}

static char *world_find_distro(const BerthLeg *leg, gpointer user_data)
{
    return leg->host_port == 7777 ? g_strdup("the distro debian") : NULL;
}

static void world_changed(gpointer user_data)
{
    World *world = user_data;
    world->changes++;
}

static const BerthPortsOps ops = {.add = world_add,
                                  .remove = world_remove,
                                  .find_distro = world_find_distro,
                                  .changed = world_changed};

static void answer(World *world, int errnum)
{
    g_autofree Call *call = g_queue_pop_head(&world->calls);
    g_assert_nonnull(call);
    call->done(errnum, call->call);
}

static void world_init(World *world)
{
    world->asked = g_string_new(NULL);
    g_queue_init(&world->calls);
    world->ports = berth_ports_new(&ops, world);
    world->policy = listening_policy(NULL);
    world->policy->number = 0;
    world->changes = 0;
}

static void world_clear(World *world)
{
    berth_ports_free(world->ports);
    while (!g_queue_is_empty(&world->calls))
        answer(world, ECANCELED);
    g_string_free(world->asked, TRUE);
    berth_forward_policy_free(world->policy);
}

#define assert_asked(world, text)                                                                  \
    do {                                                                                           \
        g_assert_cmpstr((world)->asked->str, ==, (text));                                          \
        g_string_truncate((world)->asked, 0);                                                      \
    } while (0)

/* The guest listens there: lib/listening.h. */
static void listens(World *world, const char *text)
{
    g_autoptr(GPtrArray) listeners = listening(text);
    berth_ports_update(world->ports, berth_forward_plan(listeners, world->policy));
}

/* "22 open, 80 blocked" */
static char *states(World *world)
{
    g_autoptr(GPtrArray) list = berth_ports_list(world->ports);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < list->len; i++) {
        const BerthForward *forward = g_ptr_array_index(list, i);
        g_string_append_printf(text, "%s%u %s", i > 0 ? ", " : "", forward->host_port,
                               berth_forward_state_word(forward->state));
        g_assert_true(forward->reason != NULL || forward->state == BERTH_FORWARD_OPEN ||
                      forward->state == BERTH_FORWARD_WANTED);
    }
    return g_string_free(text, FALSE);
}

#define assert_states(world, expected)                                                             \
    do {                                                                                           \
        g_autofree char *now = states(world);                                                      \
        g_assert_cmpstr(now, ==, (expected));                                                      \
    } while (0)

static char *reason_of(World *world, guint index)
{
    g_autoptr(GPtrArray) list = berth_ports_list(world->ports);
    g_assert_cmpuint(index, <, list->len);
    return g_strdup(((const BerthForward *)g_ptr_array_index(list, index))->reason);
}

/* Whether some source of the main context is waiting for a time. */
static bool timer_runs(void)
{
    gint timeout = -1, priority;
    GPollFD fds[8];
    GMainContext *context = g_main_context_default();
    g_assert_true(g_main_context_acquire(context));
    g_main_context_prepare(context, &priority);
    g_main_context_query(context, priority, &timeout, fds, G_N_ELEMENTS(fds));
    g_main_context_release(context);
    return timeout >= 0;
}

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

static void test_follows_the_guest(void)
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

static void test_answer_to_an_earlier_listener_is_no_answer(void)
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

static void test_each_leg_goes_its_own_way(void)
{
    World world;
    world_init(&world);
    world.policy->number = 7;
    listens(&world, "127.0.0.1:80~4");
    assert_asked(&world, "+80>4 +::1:80>4 +127.0.7.1:80>4 ");
    answer(&world, 0);
    assert_states(&world, "80 wanted"); /* until both families are known */
    answer(&world, 0);
    assert_states(&world, "80 open");
    answer(&world, 0);

    listens(&world, "0.0.0.0:80~4"); /* what was relayed over IPv4 is direct now */
    assert_asked(&world, "-80>4 +80 -127.0.7.1:80>4 +127.0.7.1:80 ");
    assert_states(&world, "80 open"); /* on ::1 all the time */
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
    g_assert_true(berth_ports_retry(world.ports)); /* the other one, alone */
    assert_asked(&world, "+81 ");
    g_assert_true(berth_ports_retry(world.ports)); /* it has no answer yet */
    assert_asked(&world, "");
    answer(&world, 0);
    g_assert_null(reason_of(&world, 0));
    g_assert_false(timer_runs());
    g_assert_false(berth_ports_retry(world.ports));
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
        listens(&world, "*:80"); /* and is not asked again */
        assert_asked(&world, "+80 +::1:80 ");
        listens(&world, "");
        assert_asked(&world, "-80 ");

        listens(&world, "[fd01:203:405::15]:80"); /* where it is all there is */
        answer(&world, errnums[i]);
        assert_states(&world, "80 blocked");
        world_clear(&world);
    }
}

static void test_address_of_a_rule_that_is_none_of_the_hosts(void)
{
    World world;
    world_init(&world);
    berth_forward_policy_free(world.policy);
    world.policy = listening_policy("192.0.2.1:8080:80");
    listens(&world, "");
    assert_asked(&world, "+192.0.2.1:8080>80 ");
    answer(&world, EADDRNOTAVAIL);
    assert_states(&world, "8080 blocked");
    g_autofree char *reason = reason_of(&world, 0);
    g_assert_cmpstr(reason, ==, "192.0.2.1 is no address of this host");
    g_assert_true(timer_runs()); /* it may become one */
    world_clear(&world);
}

static void test_second_distro_has_its_own_address(void)
{
    World world;
    world_init(&world);
    world.policy->number = 7;
    listens(&world, "*:7777");
    answer(&world, EADDRINUSE);
    answer(&world, EADDRINUSE);
    answer(&world, 0);
    assert_states(&world, "7777 blocked");
    g_autofree char *reason = reason_of(&world, 0);
    g_assert_cmpstr(reason, ==,
                    "port 7777 is in use on this host by the distro debian; it is on "
                    "127.0.7.1:7777");
    world_clear(&world);
}

static void test_own_rule_has_the_port(void)
{
    World world;
    world_init(&world);
    berth_forward_policy_free(world.policy);
    world.policy = listening_policy("0.0.0.0:9000:90, 127.0.0.1:9000:91");
    listens(&world, "");
    answer(&world, 0);
    answer(&world, EADDRINUSE);
    g_autofree char *reason = reason_of(&world, 1);
    g_assert_cmpstr(reason, ==,
                    "port 9000 is in use on this host by its own forward 0.0.0.0:9000:90");
    world_clear(&world);
}

static void test_changes_are_told(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:80");
    g_assert_cmpuint(world.changes, ==, 1);
    answer(&world, 0);
    g_assert_cmpuint(world.changes, ==, 2);
    listens(&world, "");
    g_assert_cmpuint(world.changes, ==, 3);
    berth_ports_reopen(world.ports);
    g_assert_cmpuint(world.changes, ==, 4);
    world_clear(&world);
}

/* Refuse what privileges are needed for: 80 and its kind. */
static void refuse_all(World *world)
{
    for (guint left = g_queue_get_length(&world->calls); left > 0; left--)
        answer(world, EACCES);
}

static void test_privileged_port_is_offered_elsewhere(void)
{
    World world;
    world_init(&world);
    world.policy->number = 7;
    listens(&world, "*:80 *:443 *:81");
    g_string_truncate(world.asked, 0);
    refuse_all(&world);
    assert_asked(&world, "-::1:80 -127.0.7.1:80 +8080>80 +::1:8080>80 +127.0.7.1:8080>80 "
                         "-::1:443 -127.0.7.1:443 +8443>443 +::1:8443>443 +127.0.7.1:8443>443 ");
    assert_states(&world, "8080 wanted, 81 blocked, 8443 wanted");
    for (guint i = 0; i < 6; i++)
        answer(&world, i == 1 ? EMFILE : 0);
    assert_states(&world, "8080 open, 81 blocked, 8443 open");
    g_autofree char *reason = reason_of(&world, 0);
    g_assert_true(g_str_has_prefix(reason, "it is port 8080 of this host: port 80 needs"));
    g_assert_nonnull(strstr(reason, "sudo sysctl net.ipv4.ip_unprivileged_port_start=80"));
    g_assert_nonnull(strstr(reason, "; not on ::1: port 8080 cannot be opened"));

    g_string_truncate(world.asked, 0);
    listens(&world, "*:443"); /* what is offered goes with it */
    assert_asked(&world, "-8080>80 -127.0.7.1:8080>80 ");
    berth_ports_reopen(world.ports); /* privileges may be there now */
    assert_asked(&world, "+443 +::1:443 +127.0.7.1:443 ");
    answer(&world, 0);
    answer(&world, 0);
    assert_states(&world, "443 open");
    world_clear(&world);
}

static void test_offered_port_is_wanted_by_a_service(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:80 0.0.0.0:8080");
    answer(&world, EACCES);
    answer(&world, 0);
    assert_asked(&world, "+80 +8080 ");
    assert_states(&world, "80 blocked, 8080 open");

    listens(&world, "0.0.0.0:80"); /* now it is free */
    assert_asked(&world, "-8080 ");
    berth_ports_retry(world.ports);
    answer(&world, EACCES);
    assert_asked(&world, "+80 +8080>80 ");
    answer(&world, 0);
    assert_states(&world, "8080 open");

    listens(&world, "0.0.0.0:80 0.0.0.0:8080"); /* and not any more */
    assert_asked(&world, "-8080>80 +8080 ");
    assert_states(&world, "80 blocked, 8080 wanted");
    answer(&world, 0);
    g_autofree char *reason = reason_of(&world, 0);
    g_assert_true(g_str_has_prefix(reason, "port 80 needs permission"));
    world_clear(&world);
}

static void test_offered_port_is_busy(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:443");
    answer(&world, EACCES);
    answer(&world, EADDRINUSE);
    assert_states(&world, "8443 blocked");
    g_autofree char *reason = reason_of(&world, 0);
    g_assert_nonnull(strstr(reason, "port 443 needs permission"));
    g_assert_nonnull(strstr(reason, "; port 8443 is in use on this host by another process"));
    world_clear(&world);
}

static void test_privileged_port_of_a_rule_stays_there(void)
{
    static const char *const rules[] = {"0.0.0.0:80", "80:8000", "udp:80"};
    for (gsize i = 0; i < G_N_ELEMENTS(rules); i++) {
        World world;
        world_init(&world);
        berth_forward_policy_free(world.policy);
        world.policy = listening_policy(rules[i]);
        listens(&world, "");
        refuse_all(&world);
        assert_states(&world, "80 blocked");
        world_clear(&world);
    }
}

static void test_unreachable_service_is_ignored(void)
{
    World world;
    world_init(&world);
    listens(&world, "172.17.0.1:53");
    assert_asked(&world, "");
    assert_states(&world, "53 ignored");
    listens(&world, "172.17.0.1:53 0.0.0.0:53");
    assert_asked(&world, "+53 ");
    answer(&world, 0);
    listens(&world, "172.17.0.1:53");
    assert_asked(&world, "-53 ");
    assert_states(&world, "53 ignored");
    world_clear(&world);
}

static void test_busy_port_names_its_holder(void)
{
    World world;
    world_init(&world);
    guint16 port;
    int fd = bind_any_port(&port);
    g_autofree char *wanted = g_strdup_printf("0.0.0.0:%u", port);
    listens(&world, wanted);
    answer(&world, EADDRINUSE);

    g_autofree char *reason = reason_of(&world, 0);
    g_autofree char *expected = g_strdup_printf(
        "port %u is in use on this host by test-net-ports (pid %d)", port, (int)getpid());
    g_assert_cmpstr(reason, ==, expected);
    close(fd);
    world_clear(&world);
}

static void test_privileged_port_names_the_sysctl(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:82");
    answer(&world, EACCES);
    g_autofree char *reason = reason_of(&world, 0);
    g_assert_nonnull(strstr(reason, "port 82 needs permission"));
    g_assert_nonnull(strstr(reason, "net.ipv4.ip_unprivileged_port_start is "));
    world_clear(&world);
}

static void test_other_errors_say_what_the_system_says(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:80");
    answer(&world, EMFILE);
    g_autofree char *reason = reason_of(&world, 0);
    g_assert_nonnull(strstr(reason, g_strerror(EMFILE)));
    world_clear(&world);
}

static void test_blocked_port_is_tried_again(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:82 0.0.0.0:83");
    g_assert_false(timer_runs());
    answer(&world, EACCES);
    answer(&world, 0);
    g_assert_true(timer_runs());
    assert_asked(&world, "+82 +83 ");

    gint64 start = g_get_monotonic_time();
    while (world.asked->len == 0)
        g_main_context_iteration(NULL, TRUE);
    gint64 took = g_get_monotonic_time() - start;
    g_assert_cmpint(took, >, BERTH_PORTS_RETRY_MSEC * 1000 - 100000);
    assert_asked(&world, "+82 ");
    assert_states(&world, "82 blocked, 83 open"); /* no flicker while it is being tried */
    answer(&world, 0);
    assert_states(&world, "82 open, 83 open");
    g_assert_false(timer_runs());
    world_clear(&world);
}

static void test_timer_ends_with_the_last_blocked_port(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:82");
    answer(&world, EACCES);
    g_assert_true(timer_runs());
    listens(&world, "");
    g_assert_false(timer_runs());
    assert_asked(&world, "+82 ");
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

    berth_ports_reopen(world.ports);
    assert_states(&world, "80 wanted, 81 wanted, 82 ignored, 83 wanted");
    g_assert_cmpuint(g_queue_get_length(&world.calls), ==, 3);
    while (!g_queue_is_empty(&world.calls))
        answer(&world, 0);
    assert_states(&world, "80 open, 81 open, 82 ignored, 83 open");
    g_assert_false(timer_runs());
    world_clear(&world);
}

/* More than can be asked for at once, from @first on. */
static void listens_to_many(World *world, guint first)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < 1100; i++)
        g_string_append_printf(text, "%s0.0.0.0:%u", i > 0 ? " " : "", first + i);
    listens(world, text->str);
}

static void test_a_guest_that_changes_its_mind_without_end(void)
{
    World world;
    world_init(&world);
    for (guint round = 0; round < 20; round++)
        listens_to_many(&world, 2000 + 1500 * round);
    g_assert_cmpuint(g_queue_get_length(&world.calls), ==, 1100);
    g_string_truncate(world.asked, 0);

    listens(&world, "0.0.0.0:80"); /* the last word counts */
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
    listens(&world, ""); /* nothing at all is at once */
    g_assert_true(g_str_has_prefix(world.asked->str, "-"));
    while (!g_queue_is_empty(&world.calls))
        answer(&world, 0);
    assert_states(&world, "");
    world_clear(&world);
}

static void test_answer_after_the_table_is_gone(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:80");
    berth_ports_free(g_steal_pointer(&world.ports));
    answer(&world, EADDRINUSE);
    world_clear(&world);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/ports/follows-the-guest", test_follows_the_guest);
    g_test_add_func("/net/ports/answer-to-an-earlier-listener-is-no-answer",
                    test_answer_to_an_earlier_listener_is_no_answer);
    g_test_add_func("/net/ports/each-leg-goes-its-own-way", test_each_leg_goes_its_own_way);
    g_test_add_func("/net/ports/one-family-is-enough", test_one_family_is_enough);
    g_test_add_func("/net/ports/host-without-ipv6", test_host_without_ipv6);
    g_test_add_func("/net/ports/address-of-a-rule-that-is-none-of-the-hosts",
                    test_address_of_a_rule_that_is_none_of_the_hosts);
    g_test_add_func("/net/ports/second-distro-has-its-own-address",
                    test_second_distro_has_its_own_address);
    g_test_add_func("/net/ports/own-rule-has-the-port", test_own_rule_has_the_port);
    g_test_add_func("/net/ports/changes-are-told", test_changes_are_told);
    g_test_add_func("/net/ports/privileged-port-is-offered-elsewhere",
                    test_privileged_port_is_offered_elsewhere);
    g_test_add_func("/net/ports/offered-port-is-wanted-by-a-service",
                    test_offered_port_is_wanted_by_a_service);
    g_test_add_func("/net/ports/offered-port-is-busy", test_offered_port_is_busy);
    g_test_add_func("/net/ports/privileged-port-of-a-rule-stays-there",
                    test_privileged_port_of_a_rule_stays_there);
    g_test_add_func("/net/ports/unreachable-service-is-ignored",
                    test_unreachable_service_is_ignored);
    g_test_add_func("/net/ports/busy-port-names-its-holder", test_busy_port_names_its_holder);
    g_test_add_func("/net/ports/privileged-port-names-the-sysctl",
                    test_privileged_port_names_the_sysctl);
    g_test_add_func("/net/ports/other-errors-say-what-the-system-says",
                    test_other_errors_say_what_the_system_says);
    g_test_add_func("/net/ports/blocked-port-is-tried-again", test_blocked_port_is_tried_again);
    g_test_add_func("/net/ports/timer-ends-with-the-last-blocked-port",
                    test_timer_ends_with_the_last_blocked_port);
    g_test_add_func("/net/ports/reopens-after-a-restart", test_reopens_after_a_restart);
    g_test_add_func("/net/ports/a-guest-that-changes-its-mind-without-end",
                    test_a_guest_that_changes_its_mind_without_end);
    g_test_add_func("/net/ports/answer-after-the-table-is-gone",
                    test_answer_after_the_table_is_gone);
    return g_test_run();
}

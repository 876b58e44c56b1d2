/* SPDX-License-Identifier: MIT */
#include "net/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Somebody to ask: remembers what was asked for and answers when told to. */
typedef struct {
    BerthPorts *ports;
    GString *asked; /* "+80 -80 " */
    GQueue calls;   /* Call* */
} World;

typedef struct {
    void (*done)(int errnum, gpointer call);
    gpointer call;
} Call;

static void world_add(const BerthForward *forward, void (*done)(int errnum, gpointer call),
                      gpointer call, gpointer user_data)
{
    World *world = user_data;
    g_string_append_printf(world->asked, "+%u%s ", forward->port, forward->loopback ? "l" : "");
    Call *pending = g_new(Call, 1);
    *pending = (Call){done, call};
    g_queue_push_tail(&world->calls, pending);
}

static void world_remove(const BerthForward *forward, gpointer user_data)
{
    World *world = user_data;
    g_string_append_printf(world->asked, "-%u ", forward->port);
}

static const BerthPortsOps ops = {.add = world_add, .remove = world_remove};

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
}

static void world_clear(World *world)
{
    berth_ports_free(world->ports);
    while (!g_queue_is_empty(&world->calls))
        answer(world, ECANCELED);
    g_string_free(world->asked, TRUE);
}

#define assert_asked(world, text)                                                                  \
    do {                                                                                           \
        g_assert_cmpstr((world)->asked->str, ==, (text));                                          \
        g_string_truncate((world)->asked, 0);                                                      \
    } while (0)

/* The guest listens on these: "127.0.0.1:80 0.0.0.0:22", or "". */
static void listens(World *world, const char *text)
{
    g_autoptr(GPtrArray) listeners =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_listener_free);
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    for (char **word = words; *word != NULL && **word != '\0'; word++) {
        char *colon = strrchr(*word, ':');
        g_assert_nonnull(colon);
        *colon = '\0';
        BerthListener *listener = g_new0(BerthListener, 1);
        listener->family = strchr(*word, ':') != NULL ? 6 : 4;
        g_assert_cmpint(
            inet_pton(listener->family == 6 ? AF_INET6 : AF_INET, *word, listener->address), ==, 1);
        listener->port = (guint16)g_ascii_strtoull(colon + 1, NULL, 10);
        listener->protocol = BERTH_TCP;
        listener->owner = g_strdup("server");
        g_ptr_array_add(listeners, listener);
    }
    berth_ports_update(world->ports, listeners);
}

/* "22 open, 80 blocked" */
static char *states(World *world)
{
    g_autoptr(GPtrArray) list = berth_ports_list(world->ports);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < list->len; i++) {
        const BerthForward *forward = g_ptr_array_index(list, i);
        g_string_append_printf(text, "%s%u %s", i > 0 ? ", " : "", forward->port,
                               berth_forward_state_word(forward->state));
        g_assert_true((forward->reason != NULL) == (forward->state == BERTH_FORWARD_BLOCKED ||
                                                    forward->state == BERTH_FORWARD_IGNORED));
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

    listens(&world, "0.0.0.0:80 127.0.0.1:22");
    assert_asked(&world, "+22l +80 ");
    assert_states(&world, "22 wanted, 80 wanted");
    answer(&world, 0);
    answer(&world, 0);
    assert_states(&world, "22 open, 80 open");

    listens(&world, "127.0.0.1:22 0.0.0.0:80");
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
    listens(&world, "127.0.0.1:80");
    assert_asked(&world, "+80 -80 +80l ");
    answer(&world, 0);
    assert_states(&world, "80 wanted");
    answer(&world, EADDRINUSE);
    assert_states(&world, "80 blocked");
    world_clear(&world);
}

static void test_service_moves_from_loopback_to_all_addresses(void)
{
    World world;
    world_init(&world);
    listens(&world, "127.0.0.1:80");
    answer(&world, 0);
    listens(&world, "0.0.0.0:80");
    assert_asked(&world, "+80l -80 +80 ");
    world_clear(&world);
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
    listens(&world, "0.0.0.0:80");
    answer(&world, EACCES);
    g_autofree char *reason = reason_of(&world, 0);
    g_assert_nonnull(strstr(reason, "port 80 needs permission"));
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
    listens(&world, "0.0.0.0:80 0.0.0.0:81");
    g_assert_false(timer_runs());
    answer(&world, EACCES);
    answer(&world, 0);
    g_assert_true(timer_runs());
    assert_asked(&world, "+80 +81 ");

    gint64 start = g_get_monotonic_time();
    while (world.asked->len == 0)
        g_main_context_iteration(NULL, TRUE);
    gint64 took = g_get_monotonic_time() - start;
    g_assert_cmpint(took, >, BERTH_PORTS_RETRY_MSEC * 1000 - 100000);
    assert_asked(&world, "+80 ");
    assert_states(&world, "80 blocked, 81 open"); /* no flicker while it is being tried */
    answer(&world, 0);
    assert_states(&world, "80 open, 81 open");
    g_assert_false(timer_runs());
    world_clear(&world);
}

static void test_timer_ends_with_the_last_blocked_port(void)
{
    World world;
    world_init(&world);
    listens(&world, "0.0.0.0:80");
    answer(&world, EACCES);
    g_assert_true(timer_runs());
    listens(&world, "");
    g_assert_false(timer_runs());
    assert_asked(&world, "+80 ");
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
    g_test_add_func("/net/ports/service-moves-from-loopback-to-all-addresses",
                    test_service_moves_from_loopback_to_all_addresses);
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

/* SPDX-License-Identifier: MIT */
#include "instance/client/request.h"

#include "../lib/control_fixture.h"

#include <errno.h>

static void test_status_and_ports(void)
{
    Fixture fixture = {0};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;

    g_autoptr(BerthInstanceStatus) is = berth_request_status(fd, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(is->state, ==, "running");
    g_assert_cmpuint(is->qemu_pid, ==, 34);
    g_assert_cmpint(is->uptime_usec, ==, G_GINT64_CONSTANT(1790000000000000));
    g_assert_cmpuint(is->sessions, ==, 0);
    g_assert_cmpstr(is->host_ports, ==, "3128,8080");
    g_assert_cmpuint(is->memory_kept, ==, G_GUINT64_CONSTANT(5) << 32);
    g_assert_cmpstr(is->idle, ==, "stop");
    g_assert_cmpuint(is->idle_timeout_sec, ==, 70);
    g_assert_cmpstr(is->awake, ==, "data");
    g_assert_cmpuint(is->idle_usec, ==, BERTH_NOT_FORESEEN);
    g_assert_cmpuint(is->kept_usec, ==, G_GUINT64_CONSTANT(6) << 32);
    g_assert_cmpstr(is->idle_problem, ==, "a share is stuck");
    g_assert_cmpuint(is->due_usec, ==, G_GUINT64_CONSTANT(7) << 32);
    g_assert_cmpstr(is->due_name, ==, "backup.timer");
    g_assert_cmpstr(is->checkpoint, ==, "every 30min");
    g_assert_cmpstr(is->checkpoint_problem, ==, "no room");

    g_autoptr(GPtrArray) forwards = berth_request_ports(fd, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(forwards->len, ==, 1);
    const BerthForward *forward = g_ptr_array_index(forwards, 0);
    g_assert_cmpuint(forward->rule.guest_port, ==, 8080);
    g_assert_cmpuint(forward->host_port, ==, 8081);
    g_assert_cmpint(forward->origin, ==, BERTH_ORIGIN_PUBLISH);
    g_assert_cmpint(forward->state, ==, BERTH_FORWARD_BLOCKED);
    g_assert_cmpint(forward->legs[0].family, ==, 6);
    g_assert_cmpuint(forward->legs[0].host[15], ==, 1);
    g_assert_cmpstr(forward->reason, ==, "port 8080 is in use");
    finish(&fixture);
}

static void test_more_ports_than_a_frame_holds(void)
{
    Fixture fixture = {.ports = 2000};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < 2; i++) {
        g_autoptr(GPtrArray) forwards = berth_request_ports(fd, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(forwards->len, ==, 2000);
        const BerthForward *last = g_ptr_array_index(forwards, 1999);
        g_assert_cmpuint(last->rule.guest_port, ==, 1999);
        g_assert_cmpuint(strlen(last->reason), ==, 200);
        g_assert_cmpuint(strlen(last->owner), <, 1000);
    }
    finish(&fixture);
}

/* The next list, or NULL at the end. */
static GPtrArray *next_list(BerthChannel *channel, GPtrArray **partial)
{
    g_autoptr(GError) error = NULL;
    bool ended = false;
    GPtrArray *list;
    while ((list = berth_request_watched(channel, partial, &ended, &error)) == NULL && !ended) {
        g_assert_no_error(error);
        g_assert_true(berth_channel_fill(channel, &error));
    }
    return list;
}

static void test_watch(void)
{
    Fixture fixture = {.up = true, .ports = 2000};
    start(&fixture);
    berth_autofd int watcher = client(&fixture);
    berth_autofd int other = client(&fixture);
    g_auto(BerthChannel) channel = {.fd = watcher};
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) partial = NULL;
    g_assert_true(berth_request_watch(&channel, &error));
    g_autoptr(GPtrArray) first = next_list(&channel, &partial);
    g_assert_cmpuint(first->len, ==, 2000);

    BerthRule rule = {.protocol = BERTH_TCP, .host_port = 80, .guest_port = 80};
    g_assert_true(berth_request_set_rule(other, &rule, true, &error));
    g_assert_no_error(error);
    g_autoptr(GPtrArray) more = next_list(&channel, &partial);
    g_assert_cmpuint(more->len, ==, 2001);
    g_assert_true(berth_request_set_rule(other, &rule, false, &error));
    g_autoptr(GPtrArray) fewer = next_list(&channel, &partial);
    g_assert_cmpuint(fewer->len, ==, 2000);

    rule.guest_port = 1;
    g_assert_false(berth_request_set_rule(other, &rule, true, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "instance.stopped");

    g_assert_true(berth_request_stop(other, BERTH_STOP_FORCE, 7, NULL, NULL));
    g_assert_null(next_list(&channel, &partial)); /* it has stopped */
    finish(&fixture);
}

static void test_watcher_that_does_not_read_is_let_go(void)
{
    Fixture fixture = {.up = true, .ports = 2000};
    start(&fixture);
    berth_autofd int watcher = client(&fixture);
    berth_autofd int other = client(&fixture);
    g_auto(BerthChannel) channel = {.fd = watcher};
    g_assert_true(berth_request_watch(&channel, NULL));
    BerthRule rule = {.protocol = BERTH_TCP, .host_port = 80, .guest_port = 80};
    for (int i = 0; i < 60; i++)
        g_assert_true(berth_request_set_rule(other, &rule, i % 2 == 0, NULL));
    gsize size = 0;
    g_autoptr(GError) error = NULL;
    while (berth_channel_fill(&channel, &error)) {
        size += wire_buffer_size(&channel.input);
        wire_buffer_consume(&channel.input, wire_buffer_size(&channel.input));
    }
    g_assert_cmpstr(berth_error_id(error), ==, "instance.lost");
    g_assert_cmpuint(size, <, 8u * 1024 * 1024);
    finish(&fixture);
}

static void test_boot_report(void)
{
    Fixture fixture = {0};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthBootReport) report = berth_request_boot(fd, &error);
    g_assert_no_error(error);
    static const char *const names[] = {"qemu", "disk", "ready"};
    g_assert_cmpuint(report->stages->len, ==, G_N_ELEMENTS(names));
    gint64 last = 0;
    for (guint i = 0; i < report->stages->len; i++) {
        const BerthBootStage *stage = report->stages->pdata[i];
        g_assert_cmpstr(stage->name, ==, names[i]);
        g_assert_cmpint(stage->end_usec, >=, last);
        g_assert_cmpstr(stage->problem, ==, i == 1 ? "no such device" : NULL);
        last = stage->end_usec;
    }
    g_assert_cmpuint(report->notices->len, ==, 2);
    g_assert_cmpstr(report->notices->pdata[0], ==, "disk: no such device");
    g_assert_cmpstr(report->notices->pdata[1], ==, "a note");
    finish(&fixture);
}

static void test_wait_until_up(void)
{
    Fixture fixture = {0};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    after_a_moment(&fixture, come_up);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_request_wait(fd, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(berth_request_wait(fd, NULL, &error)); /* and at once, the second time */
    finish(&fixture);
}

static void test_errors_cross_whole(void)
{
    Fixture fixture = {0};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    after_a_moment(&fixture, fail_boot);
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_request_wait(fd, NULL, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_GUEST);
    g_assert_cmpstr(error->message, ==, "the guest did not answer");
    g_assert_cmpstr(berth_error_id(error), ==, "instance.boot-timeout");
    g_assert_cmpstr(berth_error_hint(error), ==, "look at the log");
    finish(&fixture);
}

static void test_stop(void)
{
    Fixture fixture = {.up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_request_stop(fd, BERTH_STOP_FORCE, 7, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpint(fixture.stops, ==, 1);
    finish(&fixture);
}

static void test_grow(void)
{
    Fixture fixture = {.up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_request_grow(fd, G_GUINT64_CONSTANT(1) << 40, NULL, &error));
    g_assert_no_error(error);
    g_assert_false(berth_request_grow(fd, G_GUINT64_CONSTANT(1) << 41, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "qmp.command");
    g_assert_true(berth_request_wait(fd, NULL, NULL));
    finish(&fixture);
}

static void test_suspend(void)
{
    Fixture fixture = {.up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_request_suspend(fd, NULL, &error));
    g_assert_no_error(error);
    fixture.cannot_suspend = true;
    g_assert_false(berth_request_suspend(fd, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "suspend.guest");
    g_assert_cmpint(g_atomic_int_get(&fixture.wakes), ==, 0);
    finish(&fixture);
}

static void test_keep(void)
{
    static const guint32 rows[] = {3600, 0, BERTH_KEEP_UNTIL_STOP};
    Fixture fixture = {.kept = -1};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_true(berth_request_keep(fd, rows[i], &error));
        g_assert_no_error(error);
        g_assert_cmpint(fixture.kept, ==, rows[i]);
    }
    finish(&fixture);
}

static void test_ports_of_the_host(void)
{
    Fixture fixture = {0};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_request_set_host_ports(fd, "80, 443", &error));
    g_assert_true(berth_request_allow_host_port(fd, 3128, &error));
    g_assert_no_error(error);
    g_assert_false(berth_request_set_host_ports(fd, "x", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "access.port");
    g_clear_error(&error);
    g_assert_false(berth_request_allow_host_port(fd, 1, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "instance.isolated");
    g_clear_error(&error);
    g_assert_false(berth_request_allow_host_port(fd, 0, &error)); /* and is dropped */
    g_assert_cmpstr(berth_error_id(error), ==, "instance.lost");
    finish(&fixture);
}

static void test_shares(void)
{
    static const char *const none[] = {NULL};
    static const char *const some[] = {"/home/ann", "/mnt/host/home/ann", "/a b\n", "/mnt/host/c",
                                       NULL};
    static const char *const *const lists[] = {none, some};
    for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
        Fixture fixture = {.up = true, .shares = lists[i]};
        start(&fixture);
        berth_autofd int fd = client(&fixture);
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) paths = berth_request_shares(fd, &error);
        g_assert_no_error(error);
        g_assert_true(g_strv_equal((const char *const *)paths, lists[i]));
        finish(&fixture);
    }
}

typedef struct {
    Fixture fixture;
    BerthSharesEffect effect;
    char **skipped;
} Setting;

static void set_up_shares(Setting *setting, gconstpointer data)
{
    setting->effect = BERTH_SHARES_LATER;
    setting->fixture.up = true;
    setting->fixture.skipped = g_ptr_array_new();
    start(&setting->fixture);
}

static void tear_down_shares(Setting *setting, gconstpointer data)
{
    finish(&setting->fixture);
    g_strfreev(setting->fixture.set_shares);
    g_ptr_array_unref(setting->fixture.skipped);
    g_strfreev(setting->skipped);
}

static bool set_list(Setting *setting, int fd, const char *const *shares, GError **error)
{
    g_clear_pointer(&setting->skipped, g_strfreev);
    return berth_request_set_shares(fd, shares, &setting->effect, &setting->skipped, error);
}

static void test_set_shares(Setting *setting, gconstpointer data)
{
    static const char *const none[] = {NULL};
    static const char *const some[] = {"rw:/home/ann:/home/ann", "ro:/a%20b%0A:/work", NULL};
    static const char *const refused[] = {"rw:/refused:/", NULL};
    static const char *const malformed[] = {"rw:/home", NULL};
    berth_autofd int fd = client(&setting->fixture);
    g_autoptr(GError) error = NULL;
    g_assert_true(set_list(setting, fd, none, &error));
    g_assert_cmpint(setting->effect, ==, BERTH_SHARES_CURRENT);
    g_assert_cmpuint(g_strv_length(setting->skipped), ==, 0);
    g_assert_true(set_list(setting, fd, some, &error));
    g_assert_cmpint(setting->effect, ==, BERTH_SHARES_SLOW);
    g_assert_true(g_strv_equal((const char *const *)setting->fixture.set_shares, some));
    g_assert_false(set_list(setting, fd, refused, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "instance.isolated");
    g_clear_error(&error);
    g_assert_false(set_list(setting, fd, malformed, &error)); /* and is dropped */
    g_assert_cmpstr(berth_error_id(error), ==, "instance.lost");
}

/* More lines, and longer ones, than a frame has room for. */
static void test_shares_that_cannot_be_served(Setting *setting, gconstpointer data)
{
    static const char *const some[] = {"rw:/home/ann:/home/ann", NULL};
    g_autofree char *text = g_strnfill(100000, 'x');
    for (guint i = 0; i < 1000; i++)
        g_ptr_array_add(setting->fixture.skipped, i == 0 ? (char *)"/gone: No such file" : text);
    berth_autofd int fd = client(&setting->fixture);
    g_autoptr(GError) error = NULL;
    g_assert_true(set_list(setting, fd, some, &error));
    g_assert_no_error(error);
    g_assert_cmpint(setting->effect, ==, BERTH_SHARES_REPLACED);
    g_assert_cmpstr(setting->skipped[0], ==, "/gone: No such file");
    g_assert_cmpuint(g_strv_length(setting->skipped), >, 1);
}

static gboolean settle(gpointer data)
{
    Setting *setting = data;
    if (setting->fixture.set_shares == NULL)
        return G_SOURCE_CONTINUE; /* not asked yet */
    berth_server_set_paused(setting->fixture.server, true, "it stands still");
    berth_server_shares_settled(setting->fixture.server, setting->effect);
    return G_SOURCE_REMOVE;
}

/* The answer comes when the guest uses them, after other notices. */
static void test_shares_that_the_guest_takes_later(Setting *setting, gconstpointer data)
{
    static const char *const some[] = {"rw:/home/ann:/home/ann", NULL};
    static const BerthSharesEffect ends[] = {BERTH_SHARES_CURRENT, BERTH_SHARES_SLOW};
    setting->fixture.slow_shares = true;
    for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_clear_pointer(&setting->fixture.set_shares, g_strfreev);
        setting->effect = ends[i];
        g_autoptr(GSource) source = g_idle_source_new();
        g_source_set_callback(source, settle, setting, NULL);
        g_source_attach(source, setting->fixture.context);
        berth_autofd int fd = client(&setting->fixture);
        g_assert_true(set_list(setting, fd, some, NULL));
        g_assert_cmpint(setting->effect, ==, i == 0 ? BERTH_SHARES_REPLACED : BERTH_SHARES_SLOW);
    }
}

static void test_more_shares_than_fit(void)
{
    g_autofree char *text = g_strdup_printf("rw:/%0*d:/x", WIRE_PAYLOAD_MAX, 1);
    const char *const shares[] = {text, NULL};
    BerthSharesEffect effect;
    g_auto(GStrv) skipped = NULL;
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_request_set_shares(-1, shares, &effect, &skipped, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "share.many");
}

static void test_lost_keeper(void)
{
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
    close(pair[1]);
    berth_autofd int fd = pair[0];
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_request_wait(fd, NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "instance.lost");
}

static void test_client_that_talks_nonsense_is_dropped(void)
{
    Fixture fixture = {.up = true};
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    char byte;
    g_assert_cmpint(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), ==, 18);
    ssize_t size = read(fd, &byte, 1);
    g_assert_true(size == 0 || (size < 0 && errno == ECONNRESET));

    berth_autofd int next = client(&fixture); /* the others are served as before */
    g_assert_true(berth_request_wait(next, NULL, NULL));
    finish(&fixture);
}

/* Notes beyond what a terminal has room for are counted, and problems are never among them. */
static void test_more_notes_than_are_shown(void)
{
    Fixture fixture = {.report = berth_boot_report_new()};
    for (guint i = 0; i < 100; i++) {
        g_autofree char *text = g_strdup_printf("note %u", i);
        berth_boot_report_notice(fixture.report, text);
    }
    berth_boot_report_guest(fixture.report, "mounts", 1, "no such device");
    berth_boot_report_problem(fixture.report, "init: too slow");
    start(&fixture);
    berth_autofd int fd = client(&fixture);
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthBootReport) report = berth_request_boot(fd, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(report->notices->len, ==, 18);
    g_assert_cmpstr(report->notices->pdata[15], ==, "note 15");
    g_assert_cmpstr(report->notices->pdata[16], ==, "mounts: no such device");
    g_assert_cmpstr(report->notices->pdata[17], ==, "init: too slow");
    g_assert_cmpuint(report->notices_left_out, ==, 84);
    finish(&fixture);
}

static void test_more_ports_of_the_host_than_fit(void)
{
    g_autoptr(GString) ports = g_string_new("1");
    for (guint i = 2; i < 20000; i++)
        g_string_append_printf(ports, ",%u", i);
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_request_set_host_ports(-1, ports->str, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_INVALID);
    g_assert_cmpstr(berth_error_id(error), ==, "access.ports");
}

static bool reads_status(int fd, GError **error)
{
    g_autoptr(BerthInstanceStatus) is = berth_request_status(fd, error);
    return is != NULL;
}

static bool reads_ports(int fd, GError **error)
{
    g_autoptr(GPtrArray) forwards = berth_request_ports(fd, error);
    return forwards != NULL;
}

static bool reads_boot(int fd, GError **error)
{
    g_autoptr(BerthBootReport) report = berth_request_boot(fd, error);
    return report != NULL;
}

static bool reads_shares(int fd, GError **error)
{
    g_auto(GStrv) paths = berth_request_shares(fd, error);
    return paths != NULL;
}

static bool sets_shares(int fd, GError **error)
{
    static const char *const none[] = {NULL};
    g_auto(GStrv) skipped = NULL;
    BerthSharesEffect effect;
    return berth_request_set_shares(fd, none, &effect, &skipped, error);
}

/* Cut at each byte, and with one too many. */
static void test_answers_that_make_no_sense(void)
{
    static const struct {
        bool (*reads)(int fd, GError **error);
        ControlType type;
        gsize fewest; /* bytes of the payload when there is nothing to tell */
    } rows[] = {
        {reads_status, CONTROL_STATUS_IS, 13 * 5 + 4 * 4 + 12 * 8},
        {reads_ports, CONTROL_PORTS_ARE, 1},
        {reads_boot, CONTROL_BOOT_IS, 12},
        {reads_shares, CONTROL_SHARES_ARE, 4},
        {sets_shares, CONTROL_SHARES_SET, 5},
        {reads_boot, CONTROL_ERROR, 4 + 3 * 5},
    };
    static const guint8 zeros[256];
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        for (gsize size = 0; size <= rows[i].fewest + 1; size++) {
            int pair[2];
            g_autoptr(GError) error = NULL;
            WireBuffer answer = {0};
            g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
            berth_hello_put_answer(&answer);
            wire_frame_put(&answer, (WireType)rows[i].type, 0, 0, zeros, size);
            g_assert_cmpint(
                berth_fd_write_all(pair[1], wire_buffer_head(&answer), wire_buffer_size(&answer)),
                ==, 0);
            bool whole = size == rows[i].fewest;
            bool is_error = rows[i].type == CONTROL_ERROR;
            g_assert_cmpint(rows[i].reads(pair[0], &error), ==, whole && !is_error);
            g_assert_cmpint(error == NULL || !g_str_equal(berth_error_id(error), "instance.answer"),
                            ==, whole);
            wire_buffer_clear(&answer);
            close(pair[0]);
            close(pair[1]);
        }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/request/status-and-ports", test_status_and_ports);
    g_test_add_func("/instance/request/more-ports-than-a-frame-holds",
                    test_more_ports_than_a_frame_holds);
    g_test_add_func("/instance/request/watch", test_watch);
    g_test_add_func("/instance/request/watcher-that-does-not-read-is-let-go",
                    test_watcher_that_does_not_read_is_let_go);
    g_test_add_func("/instance/request/boot-report", test_boot_report);
    g_test_add_func("/instance/request/shares", test_shares);
    g_test_add("/instance/request/set-shares", Setting, NULL, set_up_shares, test_set_shares,
               tear_down_shares);
    g_test_add("/instance/request/shares-that-cannot-be-served", Setting, NULL, set_up_shares,
               test_shares_that_cannot_be_served, tear_down_shares);
    g_test_add("/instance/request/shares-that-the-guest-takes-later", Setting, NULL, set_up_shares,
               test_shares_that_the_guest_takes_later, tear_down_shares);
    g_test_add_func("/instance/request/more-shares-than-fit", test_more_shares_than_fit);
    g_test_add_func("/instance/request/more-notices-than-are-shown",
                    test_more_notes_than_are_shown);
    g_test_add_func("/instance/request/wait-until-up", test_wait_until_up);
    g_test_add_func("/instance/request/errors-cross-whole", test_errors_cross_whole);
    g_test_add_func("/instance/request/stop", test_stop);
    g_test_add_func("/instance/request/grow", test_grow);
    g_test_add_func("/instance/request/keep", test_keep);
    g_test_add_func("/instance/request/suspend", test_suspend);
    g_test_add_func("/instance/request/ports-of-the-host", test_ports_of_the_host);
    g_test_add_func("/instance/request/more-ports-of-the-host-than-fit",
                    test_more_ports_of_the_host_than_fit);
    g_test_add_func("/instance/request/lost-keeper", test_lost_keeper);
    g_test_add_func("/instance/request/answers-that-make-no-sense",
                    test_answers_that_make_no_sense);
    g_test_add_func("/instance/request/client-that-talks-nonsense-is-dropped",
                    test_client_that_talks_nonsense_is_dropped);
    return g_test_run();
}

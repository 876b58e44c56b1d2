/* SPDX-License-Identifier: MIT */
#include "model/idle.h"

#define SEC ((gint64)G_USEC_PER_SEC)
#define T0  (1000 * SEC) /* the clock does not start at 0 */

static void expect(const BerthIdle *idle, gint64 deadline, BerthAwake awake)
{
    BerthAwake found = BERTH_AWAKE_SETTING;
    g_assert_cmpint(berth_idle_deadline(idle, &found), ==, deadline);
    g_assert_cmpstr(berth_awake_word(found), ==, berth_awake_word(awake));
}

static BerthIdle begun(void)
{
    BerthIdle idle = berth_idle_new(BERTH_IDLE_SUSPEND, 60);
    berth_idle_begin(&idle, T0);
    const BerthIdleSample first = {
        .data = 7, .packets = 9, .requests = 4, .processor_usec = 5 * SEC};
    berth_idle_sample(&idle, &first, T0 + SEC);
    return idle;
}

static void test_begins(void)
{
    BerthIdle idle = begun(); /* what the counters were before is no activity */
    expect(&idle, T0 + 60 * SEC, BERTH_AWAKE_BEGUN);
}

/* What one sample, ten seconds after the first, is taken for. */
static void test_activity(void)
{
    static const struct {
        BerthIdleSample sample;
        BerthAwake awake;
        bool is_active;
    } rows[] = {
        {{0, 7, 9, 4, 5 * SEC}, BERTH_AWAKE_BEGUN, false},
        {{0, 7, 9, 4, 5 * SEC + SEC / 2}, BERTH_AWAKE_BEGUN, false}, /* the limit itself */
        {{0, 7, 9, 4, 5 * SEC + SEC / 2 + 1}, BERTH_AWAKE_PROCESSOR, true},
        {{0, 7, 9, 4, 0}, BERTH_AWAKE_BEGUN, false}, /* another QEMU */
        {{0, 7, 10, 4, 5 * SEC}, BERTH_AWAKE_NETWORK, true},
        {{0, 7, 0, 4, 5 * SEC}, BERTH_AWAKE_NETWORK, true}, /* another berth-net */
        {{0, 7, 10, 5, 5 * SEC}, BERTH_AWAKE_SHARE, true},
        {{0, 7, 9, 0, 5 * SEC}, BERTH_AWAKE_SHARE, true}, /* another ledger */
        {{0, 8, 9, 5, 5 * SEC}, BERTH_AWAKE_DATA, true},
        {{0, 8, 10, 4, 9 * SEC}, BERTH_AWAKE_DATA, true},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        BerthIdle idle = begun();
        berth_idle_sample(&idle, &rows[i].sample, T0 + 11 * SEC);
        expect(&idle, T0 + (rows[i].is_active ? 71 : 60) * SEC, rows[i].awake);
    }
}

static void test_commands(void)
{
    BerthIdle idle = begun();
    berth_idle_set_commands(&idle, 1, T0 + 5 * SEC);
    expect(&idle, G_MAXINT64, BERTH_AWAKE_COMMAND);
    const BerthIdleSample with = {2, 7, 9, 5 * SEC}, without = {0, 7, 9, 5 * SEC};
    berth_idle_sample(&idle, &with, T0 + 500 * SEC);
    expect(&idle, G_MAXINT64, BERTH_AWAKE_COMMAND);
    berth_idle_sample(&idle, &without, T0 + 510 * SEC);
    expect(&idle, T0 + 560 * SEC, BERTH_AWAKE_COMMAND); /* from when it was last seen */

    berth_idle_set_commands(&idle, 1, T0 + 520 * SEC);
    berth_idle_begin(&idle, T0 + 530 * SEC); /* a reboot ended it */
    expect(&idle, T0 + 590 * SEC, BERTH_AWAKE_BEGUN);
}

static void test_kept(void)
{
    BerthIdle idle = begun();
    berth_idle_keep(&idle, T0 + 10 * SEC);
    expect(&idle, T0 + 60 * SEC, BERTH_AWAKE_BEGUN); /* which is later */
    berth_idle_keep(&idle, T0 + 600 * SEC);
    expect(&idle, T0 + 600 * SEC, BERTH_AWAKE_KEPT);
    berth_idle_begin(&idle, T0 + 20 * SEC); /* does not end it */
    expect(&idle, T0 + 600 * SEC, BERTH_AWAKE_KEPT);
    berth_idle_keep(&idle, G_MAXINT64);
    expect(&idle, G_MAXINT64, BERTH_AWAKE_KEPT);
    berth_idle_keep(&idle, 0);
    expect(&idle, T0 + 80 * SEC, BERTH_AWAKE_BEGUN);
}

static void test_expected(void)
{
    BerthIdle idle = begun();
    berth_idle_expect(&idle, T0 + 10 * SEC);
    expect(&idle, T0 + 60 * SEC, BERTH_AWAKE_BEGUN); /* which is later */
    berth_idle_expect(&idle, T0 + 90 * SEC);
    expect(&idle, T0 + 90 * SEC, BERTH_AWAKE_DUE);
    berth_idle_keep(&idle, T0 + 600 * SEC);
    expect(&idle, T0 + 600 * SEC, BERTH_AWAKE_KEPT);
    berth_idle_keep(&idle, 0);
    berth_idle_expect(&idle, 0);
    expect(&idle, T0 + 60 * SEC, BERTH_AWAKE_BEGUN);
}

static void test_never(void)
{
    BerthIdle idle = berth_idle_new(BERTH_IDLE_NEVER, 60);
    berth_idle_begin(&idle, T0);
    berth_idle_set_commands(&idle, 1, T0);
    berth_idle_keep(&idle, G_MAXINT64);
    expect(&idle, G_MAXINT64, BERTH_AWAKE_SETTING);
}

static void test_failures(void)
{
    BerthIdle idle = begun();
    gint64 now = T0 + 60 * SEC, wait = 60 * SEC;
    for (guint i = 0; i < 40; i++) {
        berth_idle_fail(&idle, now);
        berth_idle_begin(&idle, now);
        expect(&idle, now + wait, wait > 60 * SEC ? BERTH_AWAKE_RETRY : BERTH_AWAKE_BEGUN);
        now += wait;
        wait = MIN(2 * wait, BERTH_IDLE_RETRY_MAX_SEC * SEC);
    }
    berth_idle_succeed(&idle);
    expect(&idle, idle.active_usec + 60 * SEC, BERTH_AWAKE_BEGUN);
    berth_idle_fail(&idle, now);
    g_assert_cmpint(idle.retry_usec, ==, now + 60 * SEC); /* it begins anew */
}

static void test_long_timeout(void)
{
    BerthIdle idle = berth_idle_new(BERTH_IDLE_SUSPEND, G_MAXUINT);
    berth_idle_begin(&idle, T0);
    berth_idle_fail(&idle, T0);
    g_assert_cmpint(idle.retry_usec, ==, T0 + BERTH_IDLE_RETRY_MAX_SEC * SEC);
    expect(&idle, T0 + (gint64)G_MAXUINT * SEC, BERTH_AWAKE_BEGUN);
    g_assert_cmpint(berth_idle_period(&idle), ==, 10 * SEC);
}

static void test_period(void)
{
    static const struct {
        guint timeout_sec;
        gint64 period_usec;
    } rows[] = {{1, SEC / 2}, {6, SEC}, {30, 5 * SEC}, {60, 10 * SEC}, {3600, 10 * SEC}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        BerthIdle idle = berth_idle_new(BERTH_IDLE_STOP, rows[i].timeout_sec);
        g_assert_cmpint(berth_idle_period(&idle), ==, rows[i].period_usec);
    }
}

static void test_words(void)
{
    for (guint i = 0; i <= BERTH_AWAKE_SETTING; i++) {
        BerthAwake awake = BERTH_AWAKE_BEGUN;
        g_assert_true(berth_awake_from_word(berth_awake_word((BerthAwake)i), &awake));
        g_assert_cmpuint(awake, ==, i);
    }
    BerthAwake awake = BERTH_AWAKE_KEPT;
    g_assert_false(berth_awake_from_word("", &awake));
    g_assert_false(berth_awake_from_word("asleep", &awake));
    g_assert_cmpuint(awake, ==, BERTH_AWAKE_KEPT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/idle/begins", test_begins);
    g_test_add_func("/idle/activity", test_activity);
    g_test_add_func("/idle/commands", test_commands);
    g_test_add_func("/idle/kept", test_kept);
    g_test_add_func("/idle/expected", test_expected);
    g_test_add_func("/idle/never", test_never);
    g_test_add_func("/idle/failures", test_failures);
    g_test_add_func("/idle/long-timeout", test_long_timeout);
    g_test_add_func("/idle/period", test_period);
    g_test_add_func("/idle/words", test_words);
    return g_test_run();
}

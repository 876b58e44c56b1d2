/* SPDX-License-Identifier: MIT */
#include "model/reclaim.h"

#define SEC ((gint64)G_USEC_PER_SEC)
#define MIB (G_GUINT64_CONSTANT(1) << 20)

typedef struct {
    BerthReclaim policy;
    gint64 now, processor;
    guint64 data;
} Guest;

static Guest started(void)
{
    Guest guest = {.now = 1000 * SEC, .processor = 7 * SEC};
    berth_reclaim_begin(&guest.policy);
    return guest;
}

/* Ten seconds later, of which it computed @work_msec: is it asked? */
static bool later(Guest *guest, guint64 held_mib, gint64 work_msec)
{
    guest->now += 10 * SEC;
    guest->processor += work_msec * 1000;
    return berth_reclaim_sample(&guest->policy, held_mib * MIB, guest->data, guest->processor,
                                guest->now);
}

/* It answers, and the next sample finds what it kept. */
static void answers(Guest *guest, guint64 taken_mib, guint64 refaulted_mib, guint64 kept_mib)
{
    berth_reclaim_answer(&guest->policy, false, taken_mib * MIB, refaulted_mib * MIB);
    g_assert_false(later(guest, kept_mib, 0));
}

/* Quiet samples until it is asked; more than @most: never. */
static guint quiet_until_asked(Guest *guest, guint64 held_mib, guint most)
{
    for (guint count = 1; count <= most; count++)
        if (later(guest, held_mib, 0))
            return count;
    return most + 1;
}

static void test_once_after_a_start(void)
{
    Guest guest = started();
    g_assert_false(later(&guest, 200, 0)); /* what it did before is not known */
    g_assert_true(later(&guest, 200, 0));
    g_assert_false(later(&guest, 200, 0)); /* it has not answered */
    answers(&guest, 90, 0, 110);
    g_assert_cmpuint(quiet_until_asked(&guest, 110, 1000), ==, 1001);
    g_assert_cmpuint(quiet_until_asked(&guest, 141, 1000), ==, 1001);
    g_assert_true(later(&guest, 142, 0));
}

static void test_not_while_it_computes(void)
{
    Guest guest = started();
    later(&guest, 900, 0);
    for (guint i = 0; i < 100; i++)
        g_assert_false(later(&guest, 900, 501));
    g_assert_true(later(&guest, 900, 500)); /* the limit itself is quiet */
}

/* A command every few seconds may need little of the processor, and all of the page cache. */
static void test_not_while_sessions_have_data(void)
{
    Guest guest = started();
    later(&guest, 900, 0);
    for (guint i = 0; i < 100; i++) {
        guest.data++;
        g_assert_false(later(&guest, 900, 0));
    }
    g_assert_true(later(&guest, 900, 0));
}

/* Memory that the guest frees by itself is not missed. */
static void test_less_is_kept_without_being_asked(void)
{
    Guest guest = started();
    later(&guest, 900, 0);
    g_assert_true(later(&guest, 900, 0));
    answers(&guest, 100, 0, 800);
    g_assert_false(later(&guest, 300, 0));
    g_assert_true(later(&guest, 400, 0));
}

/* Free memory is reported to the host some seconds after the answer. */
static void test_what_it_keeps_is_seen_late(void)
{
    Guest guest = started();
    later(&guest, 1200, 0);
    g_assert_true(later(&guest, 1200, 0));
    answers(&guest, 1000, 0, 1200);
    g_assert_false(later(&guest, 200, 0));
    g_assert_true(later(&guest, 1200, 0));
}

static void test_busy_is_asked_again(void)
{
    Guest guest = started();
    later(&guest, 900, 0);
    for (guint i = 0; i < 5; i++) {
        g_assert_true(later(&guest, 900, 0));
        berth_reclaim_answer(&guest.policy, true, 0, 0);
    }
}

/* Works on the same 600 MiB after each pause. */
static void test_page_cache_that_is_used_is_left_longer(void)
{
    static const guint pauses[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360};
    Guest guest = started();
    later(&guest, 200, 0);
    g_assert_true(later(&guest, 200, 0));
    answers(&guest, 0, 0, 100);
    later(&guest, 700, 5000);
    g_assert_cmpuint(quiet_until_asked(&guest, 700, 1000), ==, 1);
    answers(&guest, 600, 0, 100);
    for (guint i = 1; i < G_N_ELEMENTS(pauses); i++) {
        later(&guest, 700, 5000);
        g_assert_cmpuint(quiet_until_asked(&guest, 700, 1000), ==, pauses[i - 1]);
        answers(&guest, 600, 150, 100);
    }
    later(&guest, 700, 5000);
    g_assert_cmpuint(quiet_until_asked(&guest, 700, 1000), ==, 360);
    answers(&guest, 600, 149, 100);
    later(&guest, 700, 5000);
    g_assert_cmpuint(quiet_until_asked(&guest, 700, 1000), ==, 180);
}

static void test_a_suspend_ends_a_request_only(void)
{
    Guest guest = started();
    later(&guest, 900, 0);
    g_assert_true(later(&guest, 900, 0));
    answers(&guest, 100, 0, 800);
    g_assert_true(later(&guest, 900, 0));
    berth_reclaim_begin(&guest.policy);
    berth_reclaim_answer(&guest.policy, false, 700 * MIB, 700 * MIB); /* of the former request */
    guest.processor = 0;                                              /* another QEMU */
    g_assert_false(later(&guest, 820, 0));
    g_assert_cmpuint(quiet_until_asked(&guest, 820, 1000), ==, 1001);
    g_assert_true(later(&guest, 900, 0));
}

static void test_pressure_of_the_host(void)
{
    Guest guest = started();
    later(&guest, 200, 9000);
    g_assert_true(berth_reclaim_press(&guest.policy, 200 * MIB));  /* it need not be quiet */
    g_assert_false(berth_reclaim_press(&guest.policy, 200 * MIB)); /* it has not answered */
    answers(&guest, 100, 0, 100);
    g_assert_false(berth_reclaim_press(&guest.policy, 131 * MIB)); /* it gave all it has */
    g_assert_true(berth_reclaim_press(&guest.policy, 132 * MIB));
    answers(&guest, 32, 0, 100);
    g_assert_true(later(&guest, 300, 0));
    answers(&guest, 200, 0, 100);
    g_assert_true(berth_reclaim_press(&guest.policy, 100 * MIB)); /* which takes more than that */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reclaim/start", test_once_after_a_start);
    g_test_add_func("/reclaim/computes", test_not_while_it_computes);
    g_test_add_func("/reclaim/data", test_not_while_sessions_have_data);
    g_test_add_func("/reclaim/less", test_less_is_kept_without_being_asked);
    g_test_add_func("/reclaim/late", test_what_it_keeps_is_seen_late);
    g_test_add_func("/reclaim/busy", test_busy_is_asked_again);
    g_test_add_func("/reclaim/used", test_page_cache_that_is_used_is_left_longer);
    g_test_add_func("/reclaim/suspend", test_a_suspend_ends_a_request_only);
    g_test_add_func("/reclaim/pressure", test_pressure_of_the_host);
    return g_test_run();
}

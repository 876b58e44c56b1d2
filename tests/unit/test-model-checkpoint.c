/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/checkpoint.h"

#include <string.h>

#define SEC ((gint64)G_USEC_PER_SEC)
#define GIB (G_GUINT64_CONSTANT(1) << 30)

/* --- the setting --- */

static void test_plans(void)
{
    static const struct {
        const char *text;
        BerthCheckpointPlan plan;
    } rows[] = {
        {NULL, {0, 5, 0}},
        {"", {0, 5, 0}},
        {"  ", {0, 5, 0}},
        {"off", {0, 5, 0}},
        {"every 30min keep 5", {1800, 5, 0}},
        {"every 30m", {1800, 5, 0}},
        {"every 1s", {1, 5, 0}},
        {" every\t2h  keep 1000 within 20G ", {7200, 1000, 20 * GIB}},
        {"every 366d within 1MiB", {366 * 86400, 5, 1 << 20}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        BerthCheckpointPlan plan;
        g_autoptr(GError) error = NULL;
        g_assert_true(berth_checkpoint_parse(rows[i].text, &plan, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(plan.every_sec, ==, rows[i].plan.every_sec);
        g_assert_cmpuint(plan.keep, ==, rows[i].plan.keep);
        g_assert_cmpuint(plan.within, ==, rows[i].plan.within);
    }
}

static void test_refused(void)
{
    static const char *const rows[][2] = {
        {"30min", "\"30min\" is not \"every\""},
        {"keep 5", "\"keep\" is not \"every\""},
        {"off keep 5", "\"off\" is not \"every\""},
        {"Every 30min", "\"Every\" is not \"every\""},
        {"every", "\"every\" must be followed by a time with its unit"},
        {"every 30", "must be followed by a time with its unit"},
        {"every 0min", "must be followed by a time with its unit"},
        {"every 367d", "must be followed by a time with its unit"},
        {"every 30min keep", "\"keep\" must be followed by a number"},
        {"every 30min keep 0", "\"keep\" must be followed by a number"},
        {"every 30min keep 1001", "\"keep\" must be followed by a number"},
        {"every 30min keep -1", "\"keep\" must be followed by a number"},
        {"every 30min keep 5 keep 6", "\"keep\" is not expected here"},
        {"every 30min every 1h", "\"every\" is not expected here"},
        {"every 30min within 1G keep 5", "\"keep\" is not expected here"},
        {"every 30min within 1K", "\"within\" must be followed by a size"},
        {"every 30min within", "\"within\" must be followed by a size"},
        {"every 30min 5", "\"5\" is not expected here"},
        {"every 30min keep 5 within 20G x", "\"x\" is not expected here"},
        {"a\nb", "\"a\\nb\" is not"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        BerthCheckpointPlan plan = {7, 7, 7};
        g_autoptr(GError) error = NULL;
        g_assert_false(berth_checkpoint_parse(rows[i][0], &plan, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "checkpoint.syntax");
        g_assert_nonnull(strstr(error->message, rows[i][1]));
        g_assert_nonnull(berth_error_hint(error));
        g_assert_cmpuint(plan.every_sec, ==, 7); /* untouched */
    }
}

/* --- when --- */

static BerthCheckpoint every(guint sec)
{
    return (BerthCheckpoint){.plan = {.every_sec = sec, .keep = 5}};
}

static void test_only_after_use(void)
{
    BerthCheckpoint checkpoint = every(60);
    g_assert_false(berth_checkpoint_is_due(&checkpoint, 1000 * SEC));
    berth_checkpoint_use(&checkpoint);
    g_assert_true(berth_checkpoint_is_due(&checkpoint, 1000 * SEC));
    berth_checkpoint_begin(&checkpoint);
    g_assert_false(berth_checkpoint_is_due(&checkpoint, 1001 * SEC));
    berth_checkpoint_taken(&checkpoint, SEC / 10, 1000 * SEC);
    g_assert_false(berth_checkpoint_is_due(&checkpoint, 5000 * SEC));
    berth_checkpoint_use(&checkpoint);
    g_assert_false(berth_checkpoint_is_due(&checkpoint, 1060 * SEC - 1));
    g_assert_true(berth_checkpoint_is_due(&checkpoint, 1060 * SEC));
}

static void test_none_are_wanted(void)
{
    BerthCheckpoint checkpoint = every(0);
    berth_checkpoint_use(&checkpoint);
    g_assert_false(berth_checkpoint_is_due(&checkpoint, 1000 * SEC));
}

/* It stands still for a hundredth of the time at most. */
static void test_long_pauses_are_rarer(void)
{
    BerthCheckpoint checkpoint = every(60);
    berth_checkpoint_taken(&checkpoint, 2 * SEC, 0);
    berth_checkpoint_use(&checkpoint);
    g_assert_false(berth_checkpoint_is_due(&checkpoint, 200 * SEC - 1));
    g_assert_true(berth_checkpoint_is_due(&checkpoint, 200 * SEC));
}

static void test_early(void)
{
    BerthCheckpoint checkpoint = every(60);
    berth_checkpoint_early(&checkpoint, 30, 1000 * SEC);
    g_assert_false(berth_checkpoint_is_due(&checkpoint, 1030 * SEC - 1));
    g_assert_true(berth_checkpoint_is_due(&checkpoint, 1030 * SEC));
}

/* Seconds from a failure to the next attempt, which remembers the use. */
static gint64 retry_after_failure(BerthCheckpoint *checkpoint)
{
    berth_checkpoint_begin(checkpoint);
    berth_checkpoint_fail(checkpoint, 1000 * SEC);
    g_assert_true(berth_checkpoint_is_due(checkpoint, checkpoint->next_usec));
    return (checkpoint->next_usec - 1000 * SEC) / SEC;
}

static void test_failures(void)
{
    BerthCheckpoint checkpoint = every(1800);
    const gint64 waits[] = {1800, 3600, 7200, 14400, 28800, 57600, 86400, 86400};
    for (gsize i = 0; i < G_N_ELEMENTS(waits); i++)
        g_assert_cmpint(retry_after_failure(&checkpoint), ==, waits[i]);
    checkpoint.failures = G_MAXUINT;
    g_assert_cmpint(retry_after_failure(&checkpoint), ==, 86400);
    berth_checkpoint_taken(&checkpoint, 0, 0);
    g_assert_cmpint(retry_after_failure(&checkpoint), ==, 1800);
    BerthCheckpoint rare = every(BERTH_CHECKPOINT_EVERY_MAX);
    g_assert_cmpint(retry_after_failure(&rare), ==, BERTH_CHECKPOINT_EVERY_MAX);
}

/* --- which --- */

typedef struct {
    BerthDistro *distro;
    GPtrArray *snapshots;
    GArray *sizes;
} List;

static void list_set_up(List *list, gconstpointer data)
{
    list->distro = berth_distro_new("box");
    list->snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)berth_snapshot_free);
    list->sizes = g_array_new(FALSE, FALSE, sizeof(guint64));
}

static void list_tear_down(List *list, gconstpointer data)
{
    g_array_unref(list->sizes);
    g_ptr_array_unref(list->snapshots);
    berth_distro_free(list->distro);
}

/* @kind: 'u' a user's, 'r' what a restore replaced, else a checkpoint of that tag's end. */
static void add(List *list, char kind, guint64 size)
{
    gint64 usec = (gint64)(list->snapshots->len + 1) * 60 * SEC;
    BerthSnapshot *snapshot = kind == 'u' ? berth_snapshot_new(list->distro, "auto-mine", usec)
                                          : berth_snapshot_new_checkpoint(list->distro, usec);
    if (kind == 'r') {
        g_free(snapshot->tag);
        snapshot->tag = g_strdup(BERTH_SNAPSHOT_BEFORE_RESTORE);
    } else if (kind != 'u') {
        g_free(snapshot->tag);
        snapshot->tag = g_strdup_printf("auto-%c", kind);
    }
    g_ptr_array_add(list->snapshots, snapshot);
    g_array_append_val(list->sizes, size);
}

static void assert_excess(const List *list, guint keep, guint64 within, const char *expected)
{
    const BerthCheckpointPlan plan = {60, keep, within};
    g_autoptr(GPtrArray) tags = berth_checkpoint_excess(&plan, list->snapshots, list->sizes);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < tags->len; i++)
        g_string_append(text, tags->pdata[i]);
    g_assert_cmpstr(text->str, ==, expected);
}

static void test_kinds(List *list, gconstpointer data)
{
    for (const char *kind = "ura"; *kind != '\0'; kind++)
        add(list, *kind, 0);
    const char *const expected[] = {"no", "replaced", "checkpoint"};
    for (guint i = 0; i < list->snapshots->len; i++) {
        const BerthSnapshot *snapshot = list->snapshots->pdata[i];
        const char *is = berth_snapshot_is_replaced(snapshot)     ? "replaced"
                         : berth_snapshot_is_checkpoint(snapshot) ? "checkpoint"
                                                                  : "no";
        g_assert_cmpstr(is, ==, expected[i]);
    }
}

static void test_the_oldest_go(List *list, gconstpointer data)
{
    assert_excess(list, 1, 1, "");
    for (const char *kind = "aubrcd"; *kind != '\0'; kind++)
        add(list, *kind, *kind == 'u' || *kind == 'r' ? 1000 : 10);
    assert_excess(list, 4, 0, "");
    assert_excess(list, 3, 0, "auto-a");
    assert_excess(list, 1, 0, "auto-aauto-bauto-c");
    assert_excess(list, 4, 40, "");
    assert_excess(list, 4, 39, "auto-a");
    assert_excess(list, 2, 39, "auto-aauto-b");
    assert_excess(list, 4, 1, "auto-aauto-bauto-c"); /* the newest stays */
}

static void test_sizes_do_not_wrap(List *list, gconstpointer data)
{
    add(list, 'a', G_MAXUINT64);
    add(list, 'b', 10);
    assert_excess(list, 5, 100, "auto-a");
}

static void assert_left(const List *list, guint sec, gint64 now, gint64 left)
{
    const BerthCheckpointPlan plan = {sec, 5, 0};
    g_assert_cmpint(berth_checkpoint_left(&plan, list->snapshots, now * SEC), ==, left * SEC);
}

static void test_left(List *list, gconstpointer data)
{
    assert_left(list, 60, 1000, 0);
    add(list, 'u', 0); /* at 60 s */
    assert_left(list, 60, 60, 60);
    assert_left(list, 60, 100, 20);
    assert_left(list, 60, 120, 0);
    assert_left(list, 60, 59, 0); /* one from the future, after a step of the clock */
    add(list, 'r', 0);            /* at 120 s: nothing that a checkpoint would have */
    assert_left(list, 60, 130, 0);
    add(list, 'a', 0); /* at 180 s */
    assert_left(list, 60, 200, 40);
    assert_left(list, 1000, 200, 980);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/checkpoint/plans", test_plans);
    g_test_add_func("/model/checkpoint/refused", test_refused);
    g_test_add_func("/model/checkpoint/only-after-use", test_only_after_use);
    g_test_add_func("/model/checkpoint/none-are-wanted", test_none_are_wanted);
    g_test_add_func("/model/checkpoint/long-pauses-are-rarer", test_long_pauses_are_rarer);
    g_test_add_func("/model/checkpoint/early", test_early);
    g_test_add_func("/model/checkpoint/failures", test_failures);
    static const struct {
        const char *name;
        void (*func)(List *list, gconstpointer data);
    } lists[] = {{"/model/checkpoint/kinds", test_kinds},
                 {"/model/checkpoint/the-oldest-go", test_the_oldest_go},
                 {"/model/checkpoint/sizes-do-not-wrap", test_sizes_do_not_wrap},
                 {"/model/checkpoint/left", test_left}};
    for (gsize i = 0; i < G_N_ELEMENTS(lists); i++)
        g_test_add(lists[i].name, List, NULL, list_set_up, lists[i].func, list_tear_down);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT
 *
 * The setting checkpoint: whatever is accepted is within its limits, and the same in plain words;
 * whatever is not has an error and leaves the plan alone.
 *
 * Input: bytes that choose words, and the rest as text.
 */
#include "base/error.h"
#include "fuzz.h"
#include "model/checkpoint.h"

#include <string.h>

static const char *const words[] = {"every",  "keep", "within", "off", "30min", "5",
                                    "20G",    "0",    "1s",     "",    "366d",  "1000",
                                    "999999", "-1",   "\t",     "1M",  "every", "Keep"};

/* Free with g_free. */
static char *make_text(const uint8_t *data, size_t size)
{
    GString *text = g_string_new(NULL);
    size_t chosen = size > 0 ? data[0] % 8 : 0;
    size_t at = 1;
    for (; at < size && at <= chosen; at++)
        g_string_append_printf(text, "%s ", words[data[at] % G_N_ELEMENTS(words)]);
    for (; at < size; at++)
        if (data[at] != '\0')
            g_string_append_c(text, (char)data[at]);
    return g_string_free(text, FALSE);
}

static void check_same(const BerthCheckpointPlan *plan)
{
    BerthCheckpointPlan again;
    g_autofree char *text = g_strdup_printf("every %us keep %u", plan->every_sec, plan->keep);
    g_autofree char *whole =
        plan->within != 0 ? g_strdup_printf("%s within %" G_GUINT64_FORMAT, text, plan->within)
                          : g_strdup(text);
    g_assert_true(berth_checkpoint_parse(whole, &again, NULL));
    g_assert_cmpuint(again.every_sec, ==, plan->every_sec);
    g_assert_cmpuint(again.keep, ==, plan->keep);
    g_assert_cmpuint(again.within, ==, plan->within);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = make_text(data, size);
    g_autoptr(GError) error = NULL;
    BerthCheckpointPlan plan = {7, 7, 7};
    if (!berth_checkpoint_parse(text, &plan, &error)) {
        g_assert_cmpstr(berth_error_id(error), ==, "checkpoint.syntax");
        g_assert_true(plan.every_sec == 7 && plan.keep == 7 && plan.within == 7);
        return 0;
    }
    g_assert_no_error(error);
    g_assert_cmpuint(plan.every_sec, <=, BERTH_CHECKPOINT_EVERY_MAX);
    g_assert_true(plan.keep >= 1 && plan.keep <= BERTH_CHECKPOINT_KEEP_MAX);
    g_assert_true(plan.within == 0 || plan.within >= BERTH_CHECKPOINT_WITHIN_MIN);
    if (plan.every_sec != 0)
        check_same(&plan);
    return 0;
}

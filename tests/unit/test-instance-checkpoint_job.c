/* SPDX-License-Identifier: MIT */
#include "instance/keeper/checkpoint_job.h"

static void test_lines(void)
{
    static const struct {
        const char *line;
        BerthCheckpointResult result;
    } rows[] = {
        {"taken auto-1 250000", {BERTH_CHECKPOINT_JOB_TAKEN, (char *)"auto-1", 250000}},
        {"early 30", {BERTH_CHECKPOINT_JOB_EARLY, NULL, 30}},
        {"busy", {BERTH_CHECKPOINT_JOB_BUSY, NULL, 0}},
        {"failed no room", {BERTH_CHECKPOINT_JOB_FAILED, (char *)"no room", 0}},
        {"", {BERTH_CHECKPOINT_JOB_FAILED, (char *)"berth-checkpoint has ended", 0}},
        {"taken", {BERTH_CHECKPOINT_JOB_FAILED, (char *)"berth-checkpoint has ended", 0}},
        {"taken x", {BERTH_CHECKPOINT_JOB_FAILED, (char *)"berth-checkpoint has ended", 0}},
        {"taken x -1", {BERTH_CHECKPOINT_JOB_FAILED, (char *)"berth-checkpoint has ended", 0}},
        {"early 99999999999999",
         {BERTH_CHECKPOINT_JOB_FAILED, (char *)"berth-checkpoint has ended", 0}},
        {"busy x", {BERTH_CHECKPOINT_JOB_FAILED, (char *)"berth-checkpoint has ended", 0}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(BerthCheckpointResult) result = berth_checkpoint_result_parse(rows[i].line);
        g_assert_cmpint(result.kind, ==, rows[i].result.kind);
        g_assert_cmpstr(result.text, ==, rows[i].result.text);
        if (result.kind != BERTH_CHECKPOINT_JOB_FAILED)
            g_assert_cmpuint(result.number, ==, rows[i].result.number);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/checkpoint_job/lines", test_lines);
    return g_test_run();
}

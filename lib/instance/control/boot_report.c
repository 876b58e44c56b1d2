/* SPDX-License-Identifier: MIT */
#include "boot_report.h"

#include "base/text.h"

#define STAGES_MAX   64
#define NOTES_MAX    16 /* lines on a terminal */
#define PROBLEMS_MAX (NOTES_MAX + STAGES_MAX)
#define TEXT_MAX     512 /* bytes */

static void stage_free(gpointer data)
{
    BerthBootStage *stage = data;
    g_free(stage->name);
    g_free(stage->problem);
    g_free(stage);
}

BerthBootReport *berth_boot_report_new(void)
{
    BerthBootReport *report = g_new0(BerthBootReport, 1);
    report->started_usec = g_get_monotonic_time();
    report->kernel_usec = -1;
    report->stages = g_ptr_array_new_with_free_func(stage_free);
    report->notices = g_ptr_array_new_with_free_func(g_free);
    return report;
}

void berth_boot_report_free(BerthBootReport *report)
{
    if (report == NULL)
        return;
    g_ptr_array_unref(report->stages);
    g_ptr_array_unref(report->notices);
    g_free(report);
}

static void add_notice(BerthBootReport *report, const char *text, guint max)
{
    if (report->notices->len < max)
        g_ptr_array_add(report->notices, berth_text_clean(text, TEXT_MAX));
    else
        report->notices_left_out++;
}

void berth_boot_report_notice(BerthBootReport *report, const char *text)
{
    add_notice(report, text, NOTES_MAX);
}

void berth_boot_report_problem(BerthBootReport *report, const char *text)
{
    add_notice(report, text, PROBLEMS_MAX);
}

void berth_boot_report_add(BerthBootReport *report, const char *name, gint64 end_usec,
                           const char *problem)
{
    if (report->stages->len >= STAGES_MAX)
        return;
    BerthBootStage *stage = g_new0(BerthBootStage, 1);
    stage->name = berth_text_clean(name, TEXT_MAX);
    stage->end_usec = end_usec;
    stage->problem =
        problem != NULL && *problem != '\0' ? berth_text_clean(problem, TEXT_MAX) : NULL;
    g_ptr_array_add(report->stages, stage);
}

static gint64 now(const BerthBootReport *report)
{
    return g_get_monotonic_time() - report->started_usec;
}

/* Clamped: the clock offset is only as exact as a message's latency. */
void berth_boot_report_mark(BerthBootReport *report, const char *name)
{
    const GPtrArray *stages = report->stages;
    const BerthBootStage *last = stages->len > 0 ? stages->pdata[stages->len - 1] : NULL;
    berth_boot_report_add(report, name, MAX(now(report), last != NULL ? last->end_usec : 0), NULL);
}

void berth_boot_report_guest(BerthBootReport *report, const char *name, guint64 boottime_usec,
                             const char *problem)
{
    gint64 boottime = (gint64)MIN(boottime_usec, (guint64)G_MAXINT64 / 2);
    if (report->kernel_usec < 0) {
        report->kernel_usec = MAX(now(report) - boottime, 0);
        berth_boot_report_add(report, "qemu", report->kernel_usec, NULL);
    }
    berth_boot_report_add(report, name, report->kernel_usec + boottime, problem);
    if (problem == NULL)
        return;
    g_autofree char *text = g_strdup_printf("%s: %s", name, problem);
    berth_boot_report_problem(report, text);
}

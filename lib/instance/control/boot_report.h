/* SPDX-License-Identifier: MIT
 *
 * boot_report — the stages of a start with the time each ended, and its notices for the user.
 *
 * Times are microseconds since QEMU's start. The guest counts from its kernel's start; the first
 * stage that arrives fixes the offset between the two.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    char *name;
    gint64 end_usec;
    char *problem; /* NULL: success */
} BerthBootStage;

typedef struct {
    gint64 started_usec;    /* monotonic; 0 in a decoded report */
    gint64 kernel_usec;     /* start of the guest's clock; -1: unknown */
    GPtrArray *stages;      /* BerthBootStage *, in order */
    GPtrArray *notices;     /* char *, lines for the user */
    guint notices_left_out; /* number of further notices, which are only in the log */
} BerthBootReport;

/* Begin a report; time starts now. */
BerthBootReport *berth_boot_report_new(void);
void berth_boot_report_free(BerthBootReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthBootReport, berth_boot_report_free)

/* Add a stage of the guest, by its clock, whose offset becomes known with the first. @problem (or
 * NULL) is added as a notice, too. Stages beyond the limit are dropped. */
void berth_boot_report_guest(BerthBootReport *report, const char *name, guint64 boottime_usec,
                             const char *problem);

/* Add a stage that ends now. */
void berth_boot_report_mark(BerthBootReport *report, const char *name);

/* Add a notice. Beyond NOTES_MAX it is only counted. */
void berth_boot_report_notice(BerthBootReport *report, const char *text);

/* As berth_boot_report_notice for a more important line: it is kept even if notices are dropped. */
void berth_boot_report_problem(BerthBootReport *report, const char *text);

/* Add a received stage that ended at @end_usec. @problem "" means none. */
void berth_boot_report_add(BerthBootReport *report, const char *name, gint64 end_usec,
                           const char *problem);

G_END_DECLS

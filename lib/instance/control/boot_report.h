/* SPDX-License-Identifier: MIT
 *
 * boot_report — a start's stages with the time each ended, and the notices for whoever started it.
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
    char *problem; /* or NULL: it went well */
} BerthBootStage;

typedef struct {
    gint64 started_usec;    /* monotonic; 0 in a decoded report */
    gint64 kernel_usec;     /* start of the guest's clock; -1: not known yet */
    GPtrArray *stages;      /* BerthBootStage *, in order */
    GPtrArray *notices;     /* char *, lines for the user */
    guint notices_left_out; /* there were more, which only the log has */
} BerthBootReport;

/* Begins now. */
BerthBootReport *berth_boot_report_new(void);
void berth_boot_report_free(BerthBootReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthBootReport, berth_boot_report_free)

/* A stage of the guest's, by its clock, which comes to be known now. A problem (or NULL) is a note,
 * too. More stages than any guest has are left out. */
void berth_boot_report_guest(BerthBootReport *report, const char *name, guint64 boottime_usec,
                             const char *problem);

/* A stage that ends now. */
void berth_boot_report_mark(BerthBootReport *report, const char *name);

/* Add a notice. Beyond NOTES_MAX it is only counted. */
void berth_boot_report_notice(BerthBootReport *report, const char *text);

/* The same for a line that matters more: it is kept behind notices that were left out. */
void berth_boot_report_problem(BerthBootReport *report, const char *text);

/* For the reader of another's: at @end_usec as that says. @problem "" is none. */
void berth_boot_report_add(BerthBootReport *report, const char *name, gint64 end_usec,
                           const char *problem);

G_END_DECLS

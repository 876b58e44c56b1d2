/* SPDX-License-Identifier: MIT
 *
 * boot_report — how a start went: when each of its stages ended, and what whoever started it is to
 * be told.
 *
 * Times are microseconds since QEMU was started. The guest counts from the start of its kernel; its
 * first stage to arrive says how far apart the two beginnings are.
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
    gint64 started_usec;    /* monotonic time; 0 at who only reads */
    gint64 kernel_usec;     /* when the guest's clock began; -1: not known yet */
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

/* Keep @text, or count it as left out: as many are kept as are read on a terminal. */
void berth_boot_report_notice(BerthBootReport *report, const char *text);

/* The same for a line that matters more: it is kept behind notices that were left out. */
void berth_boot_report_problem(BerthBootReport *report, const char *text);

/* For the reader of another's: at @end_usec as that says. @problem "" is none. */
void berth_boot_report_add(BerthBootReport *report, const char *name, gint64 end_usec,
                           const char *problem);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * due — what a suspended distro wants to do next by itself, and when it must be woken for it. Pure:
 * reads no clock. The guest says it, so all of it is checked.
 *
 * Times are microseconds of the time of day: the distro's timers are of the calendar, and count
 * while the host sleeps.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_DUE_DAYS_MAX     401 /* later than that is not waited for */
#define BERTH_DUE_LEAD_MAX_SEC 120
#define BERTH_DUE_HOLD_MAX_SEC 180
#define BERTH_DUE_NAME_MAX     127u /* bytes */

/* A suspend that would end so soon is not worth it. */
#define BERTH_DUE_NEAR_SEC 10

typedef struct {
    gint64 at_usec; /* 0: nothing is due */
    gint64 lead_usec;
    gint64 hold_usec;
    char *name; /* one line, fit to show; or NULL */
} BerthDue;

/* Nothing is due. */
void berth_due_clear(BerthDue *due);

/* Fill in the cleared @due with what the guest says. Of a time that is too far or no time, and of
 * one that is over, @due stays clear; the others are limited. */
void berth_due_set(BerthDue *due, guint64 at_sec, guint32 lead_sec, guint32 hold_sec,
                   const char *name, gint64 now_usec);

/* Whether the distro must be awake soon: so it had better stay awake. */
bool berth_due_is_near(const BerthDue *due, gint64 now_usec);

/* When to wake a distro that is suspended since @now_usec although that is near, perhaps; 0: not.
 */
gint64 berth_due_wake(const BerthDue *due, gint64 now_usec);

/* How long from now on it must stay awake for what is due; 0 unless that is near. */
gint64 berth_due_hold(const BerthDue *due, gint64 now_usec);

G_END_DECLS

/* SPDX-License-Identifier: MIT */
#include "due.h"

#include "base/text.h"

#define DAY_SEC         86400
#define LEAD_LEAST_USEC (3 * G_USEC_PER_SEC) /* a wake takes a moment */

void berth_due_clear(BerthDue *due)
{
    g_free(due->name);
    *due = (BerthDue){0};
}

void berth_due_set(BerthDue *due, guint64 at_sec, guint32 lead_sec, guint32 hold_sec,
                   const char *name, gint64 now_usec)
{
    const guint64 now_sec = (guint64)MAX(now_usec, 0) / G_USEC_PER_SEC;
    guint lead = MIN(lead_sec, BERTH_DUE_LEAD_MAX_SEC);
    guint hold = MIN(hold_sec, BERTH_DUE_HOLD_MAX_SEC);
    if (at_sec > now_sec + (guint64)BERTH_DUE_DAYS_MAX * DAY_SEC || at_sec + hold <= now_sec)
        return;
    due->at_usec = (gint64)at_sec * G_USEC_PER_SEC;
    due->lead_usec = (gint64)lead * G_USEC_PER_SEC;
    due->hold_usec = (gint64)hold * G_USEC_PER_SEC;
    due->name = berth_text_clean(name, BERTH_DUE_NAME_MAX);
}

bool berth_due_is_near(const BerthDue *due, gint64 now_usec)
{
    return due->at_usec != 0 &&
           due->at_usec - due->lead_usec < now_usec + BERTH_DUE_NEAR_SEC * G_USEC_PER_SEC;
}

gint64 berth_due_wake(const BerthDue *due, gint64 now_usec)
{
    gint64 lead = due->lead_usec;
    if (berth_due_is_near(due, now_usec))
        lead = MIN(lead, LEAD_LEAST_USEC);
    return due->at_usec == 0 ? 0 : MAX(due->at_usec - lead, now_usec);
}

gint64 berth_due_hold(const BerthDue *due, gint64 now_usec)
{
    return berth_due_is_near(due, now_usec) ? MAX(due->at_usec + due->hold_usec - now_usec, 0) : 0;
}

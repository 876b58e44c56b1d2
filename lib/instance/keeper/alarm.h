/* SPDX-License-Identifier: MIT
 *
 * alarm — calls back at a time of day, in time also when the host sleeps meanwhile or its clock is
 * stepped. On the thread-default GMainContext.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthAlarm BerthAlarm;

/* @on_time may free the alarm. */
BerthAlarm *berth_alarm_new(void (*on_time)(gpointer user_data), gpointer user_data);
void berth_alarm_free(BerthAlarm *alarm);

/* Call back once at @realtime_usec, or at once if that is over; 0: do not. False, with errno: it
 * cannot. */
bool berth_alarm_set(BerthAlarm *alarm, gint64 realtime_usec);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * host_clock — tells when a guest's clock has to be set: the host's was set, or stood still because
 * the host slept, or its time zone became another.
 *
 * The kernel says the first two (a timerfd that a jump of the clock cancels), inotify the third.
 * What it cannot see is QEMU being stopped and continued by somebody: then the guest's clock goes
 * on with the processor's counter by itself, or QMP says RESUME. On the thread-default
 * GMainContext.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthHostClock BerthHostClock;

/* @link is BERTH_ZONE_LINK (base/zone.h). Never fails: what cannot be watched is not. */
BerthHostClock *berth_host_clock_new(const char *link, void (*on_change)(gpointer user_data),
                                     gpointer user_data);
void berth_host_clock_free(BerthHostClock *clock);

G_END_DECLS

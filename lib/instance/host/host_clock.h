/* SPDX-License-Identifier: MIT
 *
 * host_clock — reports when a guest's clock has to be set: the host's clock jumped, the host
 * suspended, or its time zone changed.
 *
 * A timerfd that a clock jump cancels reports the first two, inotify the third. It does not see
 * QEMU being stopped and continued: then the guest's clock follows the processor's counter, or QMP
 * sends RESUME. On the thread-default GMainContext.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthHostClock BerthHostClock;

/* @link is BERTH_ZONE_LINK (base/zone.h). Never fails: sources that are unavailable are skipped. */
BerthHostClock *berth_host_clock_new(const char *link, void (*on_change)(gpointer user_data),
                                     gpointer user_data);
void berth_host_clock_free(BerthHostClock *clock);

G_END_DECLS

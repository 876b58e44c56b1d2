/* SPDX-License-Identifier: MIT
 *
 * host_sleep — reports that the host is about to sleep, and that it has woken.
 *
 * systemd-logind says both on the system bus, and delays the sleep for a process that holds one of
 * its inhibitors: here from the start until berth_host_sleep_ready, at most BERTH_SLEEP_DELAY_SEC
 * after `prepare`. Everything about it is optional: without a bus, a logind or the inhibitor there
 * are fewer events, or none. A bus that has gone is looked for again, ever more rarely. On the
 * thread-default GMainContext.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_SLEEP_DELAY_SEC 4u /* logind waits for 5 s by default (InhibitDelayMaxSec=) */
#define BERTH_SLEEP_LIMIT_SEC                                                                      \
    30u /* awake ones between `prepare` and `woken`, if logind is silent */

typedef struct BerthHostSleep BerthHostSleep;

typedef struct {
    void (*prepare)(gpointer user_data); /* do what must be done first, then call ready */
    void (*woken)(gpointer user_data);   /* after each `prepare`, also if logind has gone */
    void (*refused)(const char *problem, gpointer user_data); /* no inhibitor; at most once */
} BerthHostSleepEvents;

/* The address of the system bus. @wanted (or NULL) is another one, as of DBUS_SYSTEM_BUS_ADDRESS;
 * it counts if it is that of one unix socket, since other kinds run programs. Returns a string of
 * its own or @wanted. */
const char *berth_host_sleep_address(const char *wanted);

/* @reason is what `systemd-inhibit --list` shows. No event comes before it returns; never fails. */
BerthHostSleep *berth_host_sleep_new(const char *address, const char *reason,
                                     const BerthHostSleepEvents *events, gpointer user_data);

/* The host may sleep now. Without a `prepare` that is not over it does nothing. */
void berth_host_sleep_ready(BerthHostSleep *sleep);
void berth_host_sleep_free(BerthHostSleep *sleep);

G_END_DECLS

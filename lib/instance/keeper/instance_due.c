/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* Of the guest's; it reports no more. */
#define WATCHES_MAX 8192u

/* Free with g_free. */
static char *time_text(gint64 realtime_usec)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(realtime_usec / G_USEC_PER_SEC);
    return time != NULL ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : g_strdup("?");
}

static void on_time(gpointer user_data)
{
    BerthInstance *instance = user_data;
    const BerthDue *due = &instance->expected.due;
    g_autofree char *time = time_text(due->at_usec);
    if (instance->state != SUSPENDED)
        return;
    berth_console_log(instance->console, "%s is due at %s", due->name, time);
    berth_instance_wake(instance);
}

void berth_instance_due_forget(BerthInstance *instance)
{
    if (instance->expected.alarm != NULL)
        berth_alarm_set(instance->expected.alarm, 0);
    berth_due_clear(&instance->expected.due);
}

void berth_instance_on_due(guint64 at_sec, guint32 lead_sec, guint32 hold_sec, const char *name,
                           gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->state != SUSPENDING || instance->suspension.phase != FREEZING)
        return;
    berth_instance_due_forget(instance);
    berth_due_set(&instance->expected.due, at_sec, lead_sec, hold_sec, name, g_get_real_time());
}

bool berth_instance_due_is_near(const BerthInstance *instance)
{
    return berth_due_is_near(&instance->expected.due, g_get_real_time());
}

void berth_instance_due_arm(BerthInstance *instance)
{
    Expected *expected = &instance->expected;
    gint64 wake = berth_due_wake(&expected->due, g_get_real_time());
    if (wake == 0)
        return;
    if (expected->alarm == NULL)
        expected->alarm = berth_alarm_new(on_time, instance);
    if (!berth_alarm_set(expected->alarm, wake))
        berth_console_log(instance->console, "%s cannot be woken for %s: %s",
                          instance->machine->name, expected->due.name, strerror(errno));
}

void berth_instance_due_hold(BerthInstance *instance)
{
    gint64 hold = berth_due_hold(&instance->expected.due, g_get_real_time());
    if (instance->expected.alarm != NULL)
        berth_alarm_set(instance->expected.alarm, 0);
    berth_idle_expect(&instance->idle.policy, hold > 0 ? g_get_monotonic_time() + hold : 0);
    if (hold == 0)
        berth_due_clear(&instance->expected.due);
}

void berth_instance_due_status(const BerthInstance *instance, BerthInstanceStatus *status)
{
    const BerthDue *due = &instance->expected.due;
    bool is_due = due->at_usec != 0 &&
                  (instance->state == SUSPENDED ||
                   (instance->state == UP && berth_due_hold(due, g_get_real_time()) > 0));
    status->due_usec = is_due ? (guint64)due->at_usec : 0;
    status->due_name = g_strdup(is_due ? due->name : "");
}

void berth_instance_due_clear(BerthInstance *instance)
{
    berth_due_clear(&instance->expected.due);
    g_clear_pointer(&instance->expected.alarm, berth_alarm_free);
    g_clear_pointer(&instance->expected.watches, g_array_unref);
}

/* ---- files that it watches ---- */

void berth_instance_watches_begin(BerthInstance *instance)
{
    Expected *expected = &instance->expected;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now); /* as files get theirs */
    expected->since_nsec = now.tv_sec * G_GINT64_CONSTANT(1000000000) + now.tv_nsec;
    g_clear_pointer(&expected->watches, g_array_unref);
}

void berth_instance_on_watches(const WireWatch *watches, gsize n_watches, gpointer user_data)
{
    BerthInstance *instance = user_data;
    Expected *expected = &instance->expected;
    if (instance->state != SUSPENDING || instance->suspension.phase != FREEZING)
        return;
    if (expected->watches == NULL)
        expected->watches = g_array_new(FALSE, FALSE, sizeof(WireWatch));
    gsize room = WATCHES_MAX - expected->watches->len;
    g_array_append_vals(expected->watches, watches, (guint)MIN(n_watches, room));
}

void berth_instance_watch_shares(BerthInstance *instance)
{
    const Expected *expected = &instance->expected;
    const GArray *watches = expected->watches;
    berth_share_process_suspend(instance->shares, expected->since_nsec,
                                watches != NULL ? (const void *)watches->data : NULL,
                                watches != NULL ? watches->len : 0);
}

void berth_instance_on_changed(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->state != SUSPENDING && instance->state != SUSPENDED)
        return;
    berth_console_log(instance->console, "a file of this host that %s watches has changed",
                      instance->machine->name);
    berth_instance_wake(instance);
}

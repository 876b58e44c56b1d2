/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

/* The guest stands still in its QEMU while the host sleeps, as for a client that holds it: all is
 * on the disk, no process sees the time that is missing, and afterwards it goes on as after a wake.
 */

static void on_prepare(gpointer user_data)
{
    BerthInstance *instance = user_data;
    instance->sleep.holds = true;
    berth_console_log(instance->console, "the host is about to sleep");
    berth_instance_hold(instance);
}

static void on_woken(gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_console_log(instance->console, "the host has woken");
    instance->sleep.holds = false;
    berth_instance_release(instance);
}

static void on_refused(const char *problem, gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_console_log(instance->console, "the host will not wait for %s before it sleeps: %s",
                      instance->machine->name, problem);
}

static const BerthHostSleepEvents events = {
    .prepare = on_prepare,
    .woken = on_woken,
    .refused = on_refused,
};

void berth_instance_sleep_init(BerthInstance *instance)
{
    g_autofree char *reason =
        g_strdup_printf("%s writes its files to the disk", instance->machine->name);
    const char *address = berth_host_sleep_address(g_getenv("DBUS_SYSTEM_BUS_ADDRESS"));
    instance->sleep.host = berth_host_sleep_new(address, reason, &events, instance);
}

/* While the guest starts or stops, or cannot be held, the host need not wait for it. */
void berth_instance_sleep_settle(BerthInstance *instance)
{
    bool is_changing = instance->state == WAKING ||
                       (instance->state == SUSPENDING && !berth_instance_is_held(instance));
    if (instance->sleep.holds && !is_changing)
        berth_host_sleep_ready(instance->sleep.host);
}

void berth_instance_sleep_failed(BerthInstance *instance)
{
    if (!instance->sleep.holds)
        return;
    instance->sleep.holds = false;
    berth_host_sleep_ready(instance->sleep.host);
}

void berth_instance_sleep_clear(BerthInstance *instance)
{
    berth_host_sleep_free(g_steal_pointer(&instance->sleep.host));
    instance->sleep.holds = false;
}

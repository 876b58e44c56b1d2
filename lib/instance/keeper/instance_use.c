/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#define MEASURE_USEC (G_USEC_PER_SEC / 2) /* however many ask */

static bool is_reachable(const BerthInstance *instance)
{
    return instance->state == UP && instance->life.agent != NULL &&
           !berth_instance_is_paused(instance);
}

void berth_instance_measure(BerthInstance *instance)
{
    gint64 now = g_get_monotonic_time();
    if (!is_reachable(instance) || now - instance->use.asked_usec < MEASURE_USEC)
        return;
    instance->use.asked_usec = now;
    berth_agent_client_measure(instance->life.agent);
    berth_net_process_count(instance->network);
}

void berth_instance_on_measured(guint64 memory, guint64 available, guint64 disk, guint64 disk_used,
                                gpointer user_data)
{
    BerthInstance *instance = user_data;
    BerthGuestUse *last = &instance->use.last;
    last->seen_usec = g_get_real_time();
    last->memory = memory;
    last->memory_used = memory - MIN(available, memory);
    last->disk = disk;
    last->disk_used = MIN(disk_used, disk);
}

void berth_instance_on_counted(guint64 packets, guint64 received, guint64 sent, gpointer user_data)
{
    BerthInstance *instance = user_data;
    instance->use.last.received = received;
    instance->use.last.sent = sent;
    berth_instance_idle_counted(instance, packets);
}

void berth_instance_use_forget(BerthInstance *instance)
{
    instance->use = (Use){0};
}

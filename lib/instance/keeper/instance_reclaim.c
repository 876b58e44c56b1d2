/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include <sys/stat.h>

/* Memory of the host's that the guest has, bytes; 0: that is not known. */
static guint64 held(const BerthInstance *instance)
{
    const guint64 block = 512; /* the unit of st_blocks on every file system */
    struct stat st;
    return fstat(instance->life.ends.memory, &st) == 0 ? (guint64)st.st_blocks * block : 0;
}

static void ask(BerthInstance *instance, bool urgent)
{
    Reclaim *reclaim = &instance->reclaim;
    reclaim->asked_usec = berth_instance_processor_usec(instance);
    berth_agent_client_reclaim(instance->life.agent, urgent);
}

/* One with a private memory can give nothing back (vmm/guest_ends.h). */
static bool is_reachable(const BerthInstance *instance)
{
    return instance->state == UP && !instance->life.ends.is_private &&
           instance->life.agent != NULL && !berth_instance_is_paused(instance);
}

void berth_instance_reclaim_begin(BerthInstance *instance)
{
    instance->reclaim.spent_usec = 0;
    instance->reclaim.asked_usec = 0;
    berth_reclaim_begin(&instance->reclaim.policy);
}

void berth_instance_reclaim_sample(BerthInstance *instance)
{
    if (is_reachable(instance) &&
        berth_reclaim_sample(&instance->reclaim.policy, held(instance), instance->idle.frames,
                             berth_instance_processor_usec(instance), g_get_monotonic_time()))
        ask(instance, false);
}

static void on_pressure(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (is_reachable(instance) && berth_reclaim_press(&instance->reclaim.policy, held(instance)))
        ask(instance, true);
    berth_instance_park_under_pressure(instance);
}

void berth_instance_reclaim_watch(BerthInstance *instance)
{
    instance->reclaim.pressure =
        berth_host_pressure_new(BERTH_PRESSURE_MEMORY, on_pressure, instance);
}

void berth_instance_on_reclaimed(bool busy, guint64 taken, guint64 refaulted, gpointer user_data)
{
    BerthInstance *instance = user_data;
    Reclaim *reclaim = &instance->reclaim;
    if (reclaim->policy.is_asked)
        reclaim->spent_usec += berth_instance_processor_usec(instance) - reclaim->asked_usec;
    berth_reclaim_answer(&reclaim->policy, busy, taken, refaulted);
}

void berth_instance_reclaim_clear(BerthInstance *instance)
{
    g_clear_pointer(&instance->reclaim.pressure, berth_host_pressure_free);
}

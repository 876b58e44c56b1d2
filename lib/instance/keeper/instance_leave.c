/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/error.h"

/* Whether the guest can be left to another keeper, now or as soon as it is awake. */
static bool can_leave(const BerthInstance *instance)
{
    bool lives = instance->state == UP || instance->state == SUSPENDING ||
                 instance->state == SUSPENDED || instance->state == WAKING;
    return lives && instance->machine->owner == NULL && !instance->machine->rescue;
}

void berth_instance_leave(BerthInstance *instance)
{
    if (instance->is_leaving || instance->suspension.stop_wanted)
        return;
    if (!can_leave(instance)) {
        berth_instance_stop(instance);
        return;
    }
    berth_console_log(instance->console, "%s is parked, since its keeper is to end",
                      instance->machine->name);
    instance->is_leaving = true;
    instance->suspension.wake_wanted = false;
    if (instance->state == WAKING)
        instance->suspension.suspend_wanted = true;
    berth_instance_park(instance);
}

void berth_instance_leave_parked(BerthInstance *instance)
{
    GError *error = NULL;
    g_autofree char *hint =
        g_strdup_printf("\"berth start %s\" continues it", instance->machine->name);
    if (!instance->is_leaving)
        return;
    berth_error_set(&error, BERTH_ERROR_NOT_RUNNING, "instance.parked", hint,
                    "it was parked, since its keeper was told to end");
    berth_instance_fail(instance, error);
}

void berth_instance_leave_failed(BerthInstance *instance)
{
    if (!instance->is_leaving)
        return;
    instance->is_leaving = false;
    berth_instance_stop(instance);
}

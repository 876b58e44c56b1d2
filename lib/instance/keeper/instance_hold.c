/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

static void begin_hold(BerthInstance *instance)
{
    if (instance->state == SUSPENDED || instance->suspension.phase == HELD) {
        berth_server_held(instance->server, instance->suspension.for_hold);
        return;
    }
    if (instance->state == SUSPENDING || instance->state == WAKING)
        return; /* once that has ended */
    instance->suspension.for_hold = instance->state == UP;
    berth_instance_begin_suspend(instance);
}

void berth_instance_hold(gpointer user_data)
{
    BerthInstance *instance = user_data;
    begin_hold(instance);
    berth_instance_sleep_settle(instance);
}

bool berth_instance_hold_stopped(BerthInstance *instance)
{
    Suspension *suspension = &instance->suspension;
    if (!suspension->for_hold)
        return false;
    if (!berth_instance_is_hold_wanted(instance)) {
        berth_instance_continue(instance);
        return true;
    }
    suspension->phase = HELD;
    berth_instance_clear_timer(&instance->timer); /* the client's connection is the limit */
    berth_server_held(instance->server, true);
    berth_instance_sleep_settle(instance);
    return true;
}

void berth_instance_release(gpointer user_data)
{
    BerthInstance *instance = user_data;
    Suspension *suspension = &instance->suspension;
    if (berth_instance_is_hold_wanted(instance) || instance->copy.captures)
        return;
    berth_instance_interrupt_copy(instance);
    if (instance->state == SUSPENDED && suspension->wake_wanted)
        berth_instance_wake(instance);
    if (instance->state != SUSPENDING || suspension->phase != HELD || instance->process.qmp == NULL)
        return; /* on_stopped sees it, or QEMU has ended, which is handled there */
    suspension->phase = SAVING;
    berth_instance_limit_suspend(instance);
    if (suspension->for_hold)
        berth_instance_continue(instance);
    else
        berth_instance_save(instance); /* a client wants it suspended afterwards */
}

bool berth_instance_is_held(const BerthInstance *instance)
{
    return instance->state == SUSPENDING && instance->suspension.phase == HELD;
}

bool berth_instance_is_hold_wanted(const BerthInstance *instance)
{
    return berth_server_is_held(instance->server) || instance->sleep.holds;
}

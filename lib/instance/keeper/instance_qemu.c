/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/error.h"
#include "crash.h"

static void advance_end(BerthInstance *instance)
{
    if (instance->process.ended && instance->process.qmp == NULL)
        berth_instance_qemu_ended(instance);
}

static void on_qemu_exit(BerthQemu *qemu, int wait_status, gpointer user_data)
{
    BerthInstance *instance = user_data;
    instance->process.ended = true;
    instance->process.wait_status = wait_status;
    advance_end(instance);
}

static void on_qmp_event(BerthQmp *qmp, const BerthQmpEvent *event, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->suspension.operation != NULL)
        berth_device_state_event(instance->suspension.operation, event);
    if (g_str_equal(event->name, "VSERPORT_CHANGE") && g_str_equal(event->reason, "closed"))
        berth_instance_lose_agent(instance);
    if (g_str_equal(event->name, "RESUME"))
        berth_instance_send_clock(instance);
    if (berth_instance_pause_event(instance, event) || !g_str_equal(event->name, "SHUTDOWN"))
        return;
    bool reset = g_str_equal(event->reason, "guest-reset");
    bool off = g_str_equal(event->reason, "guest-shutdown");
    instance->process.end_reason = reset ? END_REBOOT : off ? END_POWERED_OFF : END_UNKNOWN;
}

static void on_qmp_closed(BerthQmp *qmp, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_clear_pointer(&instance->process.qmp, berth_qmp_free);
    if (berth_error_is(error, BERTH_ERROR_PROTOCOL))
        berth_instance_fail(instance, g_error_copy(error));
    advance_end(instance);
}

bool berth_instance_start_qemu(BerthInstance *instance, GError **error)
{
    BerthQemuChannels channels;
    const BerthQemuGuest guest = {
        .net = berth_net_process_guest_fd(instance->network),
        .share = berth_share_process_guest_fd(instance->shares),
        .agent = instance->life.ends.qemu_agent,
        .memory = instance->life.ends.memory,
        .wakes = instance->state == WAKING,
        .is_private = instance->life.ends.is_private,
    };
    QemuProcess *process = &instance->process;
    process->qemu =
        berth_qemu_spawn(instance->machine, &guest, on_qemu_exit, instance, &channels, error);
    if (process->qemu == NULL)
        return false;
    berth_instance_watch_pauses(instance);
    process->qmp = berth_qmp_new(channels.qmp, on_qmp_event, on_qmp_closed, instance);
    berth_console_attach(instance->console, channels.console);
    return true;
}

GError *berth_instance_crash_error(BerthInstance *instance)
{
    const BerthCrash crash = {
        .name = instance->machine->name,
        .stage = instance->life.was_up ? NULL : instance->life.problem,
        .no_disk = instance->life.no_disk,
        .qemu_words = berth_qemu_last_message(instance->process.qemu),
        .panic = berth_console_panic(instance->console),
        .guest_ended = instance->process.end_reason != END_UNKNOWN,
        .wait_status = instance->process.wait_status,
    };
    return berth_crash_error(&crash);
}

void berth_instance_clear_qemu(BerthInstance *instance)
{
    QemuProcess *process = &instance->process;
    berth_qmp_free(process->qmp);
    berth_qemu_free(process->qemu);
    berth_pause_free(process->pause);
    *process = (QemuProcess){0};
}

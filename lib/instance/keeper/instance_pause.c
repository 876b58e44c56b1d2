/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/error.h"
#include "base/text.h"

#define WORDS_MAX 100u

static void on_cont(BerthQmp *qmp, JsonNode *result, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (error != NULL && !berth_error_is(error, BERTH_ERROR_GUEST))
        berth_console_log(instance->console, "%s", error->message);
}

static void on_resume(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->process.qmp != NULL)
        berth_qmp_execute(instance->process.qmp, "cont", NULL, on_cont, instance);
}

static void notify(BerthInstance *instance, const char *line)
{
    berth_console_log(instance->console, "%s", line);
    berth_server_set_paused(instance->server, berth_pause_reason(instance->process.pause) != NULL,
                            line);
}

static void on_changed(const char *reason, gpointer user_data)
{
    BerthInstance *instance = user_data;
    const char *name = instance->machine->name;
    g_autofree char *line =
        reason != NULL
            ? g_strdup_printf("%s is paused: %s; it continues when the host can write again", name,
                              reason)
            : g_strdup_printf("%s continues", name);
    notify(instance, line);
}

void berth_instance_notify_lost_writes(BerthInstance *instance)
{
    const char *reason = berth_pause_reason(instance->process.pause);
    if (reason == NULL)
        return;
    g_autofree char *line = g_strdup_printf(
        "%s was stopped without an orderly power-off: %s; data that it had not written yet is lost",
        instance->machine->name, reason);
    notify(instance, line);
}

static void on_lost(const char *reason, gpointer user_data)
{
    BerthInstance *instance = user_data;
    const char *name = instance->machine->name;
    if (instance->state == STOPPING)
        berth_instance_notify_lost_writes(instance);
    g_autofree char *hint = g_strdup_printf(
        "look for errors of the host's disk in dmesg; the next command starts %s again", name);
    GError *failure = NULL;
    berth_error_set(&failure, BERTH_ERROR_FAILED, "instance.writes-lost", hint,
                    "the host lost the last writes of %s: %s", name, reason);
    berth_instance_fail(instance, failure);
}

static const BerthPauseOps pause_ops = {
    .resume = on_resume,
    .changed = on_changed,
    .lost = on_lost,
};

void berth_instance_watch_pauses(BerthInstance *instance)
{
    instance->process.read_error_reported = false;
    instance->process.pause =
        berth_pause_new(instance->machine->disk, BERTH_PAUSE_TURN_MSEC, &pause_ops, instance);
}

bool berth_instance_is_paused(const BerthInstance *instance)
{
    return berth_pause_reason(instance->process.pause) != NULL;
}

/* QEMU does not report by itself that it cannot resume this guest. */
static void on_status(BerthQmp *qmp, JsonNode *result, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    const char *status = result != NULL ? berth_qmp_status(result) : "";
    if (g_str_equal(status, "io-error")) {
        berth_pause_stopped(instance->process.pause);
    } else if (g_str_equal(status, "internal-error")) {
        g_autofree char *hint =
            g_strdup_printf("the next command starts %s again", instance->machine->name);
        GError *failure = NULL;
        berth_error_set(&failure, BERTH_ERROR_FAILED, "instance.internal-error", hint,
                        "QEMU cannot continue the guest: internal error");
        berth_instance_fail(instance, failure);
    }
}

/* QEMU passes only read errors on to the guest. Log once per start: a damaged region has many
 * blocks. */
static void report_read_error(BerthInstance *instance, const char *words)
{
    if (instance->process.read_error_reported)
        return;
    instance->process.read_error_reported = true;
    g_autofree char *clean = berth_text_clean(words, WORDS_MAX);
    g_autofree char *line = g_strdup_printf(
        "%s gets read errors: the host cannot read its disk: %s", instance->machine->name, clean);
    berth_console_log(instance->console, "%s", line);
    berth_server_notify_clients(instance->server, line);
}

bool berth_instance_pause_event(BerthInstance *instance, const BerthQmpEvent *event)
{
    bool failure = g_str_equal(event->name, "BLOCK_IO_ERROR");
    if (failure && g_str_equal(event->action, "stop"))
        berth_pause_failed(instance->process.pause, event->reason);
    else if (failure)
        report_read_error(instance, event->reason);
    else if (g_str_equal(event->name, "STOP"))
        berth_qmp_execute(instance->process.qmp, "query-status", NULL, on_status, instance);
    else if (g_str_equal(event->name, "RESUME"))
        berth_pause_resumed(instance->process.pause);
    else
        return false;
    return true;
}

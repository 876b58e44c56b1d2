/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/error.h"

static void on_cont(BerthQmp *qmp, JsonNode *result, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (error != NULL && !berth_error_is(error, BERTH_ERROR_GUEST))
        berth_console_note(instance->console, "%s", error->message);
}

static void on_resume(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->qmp != NULL)
        berth_qmp_execute(instance->qmp, "cont", NULL, on_cont, instance);
}

static void tell(BerthInstance *instance, const char *line)
{
    berth_console_note(instance->console, "%s", line);
    berth_server_set_paused(instance->server, berth_pause_reason(instance->pause) != NULL, line);
}

static void on_changed(const char *reason, gpointer user_data)
{
    BerthInstance *instance = user_data;
    const char *name = instance->machine->name;
    g_autofree char *line = reason != NULL
                                ? g_strdup_printf("%s waits: %s; it goes on by itself once it can "
                                                  "write again",
                                                  name, reason)
                                : g_strdup_printf("%s goes on", name);
    tell(instance, line);
}

static const BerthPauseOps pause_ops = {.resume = on_resume, .changed = on_changed};

void berth_instance_watch_pauses(BerthInstance *instance)
{
    instance->pause =
        berth_pause_new(instance->machine->disk, BERTH_PAUSE_TURN_MSEC, &pause_ops, instance);
}

bool berth_instance_is_paused(const BerthInstance *instance)
{
    return berth_pause_reason(instance->pause) != NULL;
}

void berth_instance_tell_lost_writes(BerthInstance *instance)
{
    const char *reason = berth_pause_reason(instance->pause);
    if (reason == NULL)
        return;
    g_autofree char *line =
        g_strdup_printf("%s was ended without powering off: %s, and what it had not written yet "
                        "is lost",
                        instance->machine->name, reason);
    tell(instance, line);
}

/* QEMU cannot go on with this guest, and says so only when it is asked. */
static void on_status(BerthQmp *qmp, JsonNode *result, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    const char *status = result != NULL ? berth_qmp_status(result) : "";
    if (g_str_equal(status, "io-error")) {
        berth_pause_stopped(instance->pause);
    } else if (g_str_equal(status, "internal-error")) {
        g_autofree char *hint =
            g_strdup_printf("the next command starts %s anew", instance->machine->name);
        GError *failure = NULL;
        berth_error_set(&failure, BERTH_ERROR_FAILED, "instance.internal-error", hint,
                        "QEMU cannot go on with the guest: internal error");
        berth_instance_fail(instance, failure);
    }
}

bool berth_instance_pause_event(BerthInstance *instance, const char *event, const char *reason)
{
    if (g_str_equal(event, "BLOCK_IO_ERROR"))
        berth_pause_failed(instance->pause, reason);
    else if (g_str_equal(event, "STOP"))
        berth_qmp_execute(instance->qmp, "query-status", NULL, on_status, instance);
    else if (g_str_equal(event, "RESUME"))
        berth_pause_resumed(instance->pause);
    else
        return false;
    return true;
}

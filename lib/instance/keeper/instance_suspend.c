/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/error.h"

#include <sys/stat.h>

/* How long the guest may take to write its file systems and freeze, QEMU to give its state and end;
 * and a new QEMU to begin and load it. */
#define SUSPEND_SEC 60u
#define WAKE_SEC    60u

/* How long a suspend waits for the end of what its peers and the guest exchange. Longer than for
 * one answer (net/activity.h). */
#define EXCHANGE_USEC (10 * G_USEC_PER_SEC)
#define LOOK_USEC     (G_USEC_PER_SEC / 10) /* an answer ends the wait for it */

#define BLOCK_SIZE 512u /* the unit of st_blocks on every file system */

bool berth_instance_is_asleep(const BerthInstance *instance)
{
    return instance->state == SUSPENDED ||
           (instance->state == WAKING && instance->suspension.phase != CATCHING_UP);
}

guint64 berth_instance_memory_kept(const BerthInstance *instance)
{
    struct stat st;
    const Suspension *suspension = &instance->suspension;
    if (instance->state != SUSPENDED || instance->park.phase == PARKED ||
        fstat(instance->life.ends.memory, &st) < 0)
        return 0;
    return (guint64)st.st_blocks * BLOCK_SIZE + g_bytes_get_size(suspension->state);
}

void berth_instance_clear_suspension(BerthInstance *instance)
{
    Suspension *suspension = &instance->suspension;
    berth_device_state_free(suspension->operation);
    if (suspension->state != NULL)
        g_bytes_unref(suspension->state);
    g_clear_error(&suspension->failure);
    berth_instance_clear_timer(&suspension->quiet);
    *suspension = (Suspension){0};
}

/* --- the guest goes on ------------------------------------------------------------------------ */

/* Let the guest's processes continue. */
static void thaw_guest(BerthInstance *instance)
{
    Suspension *suspension = &instance->suspension;
    g_autoptr(GError) failure = g_steal_pointer(&suspension->failure);
    if (failure != NULL) {
        berth_instance_suspend_ended(instance, failure); /* which may want a stop */
        berth_instance_sleep_failed(instance);
    }
    bool stop_wanted = suspension->stop_wanted, suspend_wanted = suspension->suspend_wanted;
    suspension->phase = NOT_SUSPENDING;
    suspension->stop_wanted = suspension->suspend_wanted = suspension->for_hold = false;
    berth_instance_clear_timer(&instance->timer);
    instance->state = UP;
    berth_instance_taken_over(instance);
    if (instance->life.agent != NULL)
        berth_agent_client_thaw(instance->life.agent);
    if (stop_wanted) {
        berth_instance_server_ops.stop(BERTH_STOP_ORDERLY, suspension->stop_grace_sec, instance);
        return;
    }
    berth_server_set_up(instance->server, instance->life.agent != NULL);
    berth_instance_idle_begin(instance);
    berth_instance_due_hold(instance);
    if (suspend_wanted)
        berth_instance_suspend(instance);
    if (berth_instance_is_hold_wanted(instance)) /* it came too late for the former stop */
        berth_instance_hold(instance);
}

static gboolean on_catch_up_timeout(gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_console_log(instance->console, "the shares have not followed the host within %u s",
                      BERTH_SHARES_WAIT_SEC);
    berth_instance_clear_timer(&instance->timer);
    thaw_guest(instance);
    return G_SOURCE_REMOVE;
}

void berth_instance_continue_guest(BerthInstance *instance)
{
    BerthAgentClient *agent = instance->life.agent;
    instance->state = WAKING;
    instance->suspension.phase = CATCHING_UP;
    instance->suspension.wake_wanted = false;
    berth_instance_clear_timer(&instance->timer);
    berth_instance_clear_timer(&instance->suspension.quiet);
    berth_net_process_unwatch(instance->network);
    if (agent != NULL)
        berth_agent_client_go_on(agent);
    berth_instance_update_guest(instance);
    if (agent != NULL)
        berth_agent_client_release(agent);
    if (instance->shares != NULL)
        berth_share_process_wake(instance->shares);
    if (agent != NULL && instance->life.share_root != NULL &&
        !berth_share_process_is_ready(instance->shares))
        berth_instance_set_timer(instance, BERTH_SHARES_WAIT_SEC * 1000, on_catch_up_timeout);
    else
        thaw_guest(instance);
}

void berth_instance_shares_caught_up(BerthInstance *instance)
{
    if (instance->suspension.phase == CATCHING_UP)
        thaw_guest(instance);
}

static void on_continued(BerthQmp *qmp, JsonNode *result, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (error == NULL && (instance->state == SUSPENDING || instance->state == WAKING)) {
        berth_console_log(instance->console, "%s continues", instance->machine->name);
        if (instance->takeover.active)
            berth_instance_greet(instance);
        else
            berth_instance_continue_guest(instance);
    } else if (error != NULL && berth_error_is(error, BERTH_ERROR_FAILED)) {
        berth_instance_fail(instance, g_error_copy(error)); /* QEMU refused */
    }
}

void berth_instance_continue(BerthInstance *instance)
{
    if (instance->process.qmp != NULL) /* else QEMU has ended, which is handled there */
        berth_qmp_execute(instance->process.qmp, "cont", NULL, on_continued, instance);
}

/* --- suspend ---------------------------------------------------------------------------------- */

/* The guest is not suspended: it continues, and whoever asked for it gets @error then. */
static void give_up(BerthInstance *instance, const GError *error)
{
    berth_console_log(instance->console, "%s cannot be suspended: %s", instance->machine->name,
                      error->message);
    berth_instance_idle_failed(instance, error);
    g_clear_error(&instance->suspension.failure);
    instance->suspension.failure = g_error_copy(error);
    if (instance->suspension.phase == SAVING)
        berth_instance_continue(instance);
    else
        berth_instance_continue_guest(instance);
}

static gboolean on_suspend_timeout(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (berth_instance_is_paused(instance))
        return G_SOURCE_CONTINUE; /* it can write nothing now */
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_GUEST, "suspend.timeout", "try again",
                    "it could not be suspended within %u s", SUSPEND_SEC);
    SuspendPhase phase = instance->suspension.phase;
    berth_instance_clear_timer(&instance->timer);
    if (phase == QUITTING)
        berth_qemu_kill(instance->process.qemu); /* all of the guest is kept */
    else if (phase == SAVING)
        berth_instance_fail(instance, g_steal_pointer(&error)); /* it does not answer QMP */
    else
        give_up(instance, error);
    return G_SOURCE_REMOVE;
}

void berth_instance_limit_suspend(BerthInstance *instance)
{
    berth_instance_set_timer(instance, SUSPEND_SEC * 1000, on_suspend_timeout);
}

static void on_saved(GBytes *state, bool with_memory, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    Suspension *suspension = &instance->suspension;
    if (instance->state != SUSPENDING || instance->process.qmp == NULL)
        return;
    if (error != NULL) {
        give_up(instance, error);
        return;
    }
    suspension->state = g_bytes_ref(state);
    suspension->with_memory = with_memory;
    suspension->phase = QUITTING;
    berth_qmp_execute(instance->process.qmp, "quit", NULL, NULL, NULL);
}

void berth_instance_save(BerthInstance *instance)
{
    Suspension *suspension = &instance->suspension;
    if (instance->shares != NULL)
        berth_instance_watch_shares(instance);
    berth_device_state_free(suspension->operation); /* of a former one that failed */
    suspension->operation = berth_device_state_save(instance->process.qmp, on_saved, instance);
}

static void on_stopped(BerthQmp *qmp, JsonNode *result, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    Suspension *suspension = &instance->suspension;
    if (instance->state != SUSPENDING || suspension->phase != SAVING)
        return;
    if (error != NULL) {
        if (berth_error_is(error, BERTH_ERROR_FAILED)) /* else QEMU has ended */
            give_up(instance, error);
        return;
    }
    if (!berth_instance_hold_stopped(instance))
        berth_instance_save(instance);
}

static gboolean watch_again(gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_instance_clear_timer(&instance->suspension.quiet);
    if (instance->state == SUSPENDING && instance->suspension.phase == WATCHING)
        berth_net_process_watch(instance->network);
    return G_SOURCE_REMOVE;
}

/* Let the guest end an exchange before it is suspended: its peer may have sent all that it had, and
 * nothing else would wake the guest. False: there is none, or it takes too long, or the guest goes
 * on anyway. */
static bool wait_for_quiet(BerthInstance *instance, gint64 wait_usec)
{
    Suspension *suspension = &instance->suspension;
    gint64 left = suspension->begun_usec + EXCHANGE_USEC - g_get_monotonic_time();
    if (wait_usec <= 0 || left <= 0 || suspension->wake_wanted || suspension->for_hold ||
        instance->is_leaving)
        return false;
    berth_instance_clear_timer(&suspension->quiet);
    suspension->quiet =
        g_timeout_source_new((guint)(MIN(MIN(wait_usec, left), LOOK_USEC) / 1000 + 1));
    g_source_set_callback(suspension->quiet, watch_again, instance, NULL);
    g_source_attach(suspension->quiet, g_main_context_get_thread_default());
    return true;
}

/* Only now: a frame that the guest gets after it has frozen must not be missed. */
void berth_instance_on_watched(gint64 wait_usec, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->state != SUSPENDING || instance->suspension.phase != WATCHING ||
        instance->life.agent == NULL || wait_for_quiet(instance, wait_usec))
        return;
    berth_instance_clear_timer(&instance->suspension.quiet); /* of a berth-net that has ended */
    instance->suspension.phase = FREEZING;
    berth_instance_watches_begin(instance);
    berth_agent_client_measure(instance->life.agent); /* the last one until the wake */
    berth_agent_client_freeze(instance->life.agent);
}

void berth_instance_on_packet(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->state == SUSPENDING && instance->suspension.phase == WATCHING)
        return; /* it still runs, and is watched again before it freezes */
    if (instance->state == SUSPENDING || instance->state == SUSPENDED)
        berth_console_log(instance->console, "a packet from the network waits for %s",
                          instance->machine->name);
    berth_instance_wake(instance);
}

void berth_instance_on_frozen(const char *problem, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->state != SUSPENDING || instance->suspension.phase != FREEZING)
        return;
    if (problem != NULL) {
        g_autoptr(GError) error = NULL;
        berth_error_set(&error, BERTH_ERROR_GUEST, "suspend.guest", "try again",
                        "its processes could not be frozen: %s", problem);
        give_up(instance, error);
        return;
    }
    if (instance->process.qmp == NULL)
        return; /* QEMU has ended, which is handled there */
    if (instance->suspension.is_unasked && berth_instance_due_is_near(instance)) {
        berth_console_log(instance->console, "%s stays awake, since %s is due",
                          instance->machine->name, instance->expected.due.name);
        berth_instance_continue_guest(instance);
        return;
    }
    instance->suspension.phase = SAVING;
    berth_qmp_execute(instance->process.qmp, "stop", NULL, on_stopped, instance);
}

/* Why a guest in this state cannot be suspended. */
static const char *refusal(const BerthInstance *instance)
{
    if (instance->state == STARTING)
        return "it is still starting";
    if (instance->state == WAKING)
        return "it is waking, since a command needs it";
    if (berth_instance_is_paused(instance))
        return "it is paused, since the host refuses to write its disk";
    return instance->life.agent == NULL ? "its agent does not answer" : NULL;
}

void berth_instance_begin_suspend(BerthInstance *instance)
{
    g_autoptr(GError) error = NULL;
    const char *reason = refusal(instance);
    if (instance->state == SUSPENDING)
        return;
    if (instance->suspension.phase == CATCHING_UP) {
        instance->suspension.suspend_wanted = true;
        return;
    }
    if (instance->state == STOPPING || instance->state == GONE)
        berth_instance_set_stopped_error(&error);
    else if (instance->life.ends.is_private && !instance->suspension.for_hold)
        berth_error_set(&error, BERTH_ERROR_DENIED, "suspend.refused",
                        "it takes little memory, and ends with its command",
                        "it shares memory with the distro that it is a clone of");
    else if (instance->state != SUSPENDED && reason != NULL)
        berth_error_set(&error, BERTH_ERROR_BUSY, "suspend.busy", "try again", "%s", reason);
    if (error != NULL && instance->state == UP)
        berth_instance_idle_failed(instance, error);
    if (error != NULL || instance->state == SUSPENDED) {
        berth_instance_suspend_ended(instance, error);
        return;
    }
    instance->state = SUSPENDING;
    instance->suspension.phase = WATCHING;
    instance->suspension.begun_usec = g_get_monotonic_time();
    instance->suspension.is_unasked = false;
    berth_instance_due_forget(instance);
    berth_server_set_up(instance->server, false);
    berth_instance_limit_suspend(instance);
    berth_net_process_watch(instance->network);
}

void berth_instance_suspend(gpointer user_data)
{
    BerthInstance *instance = user_data;
    instance->suspension.for_hold = instance->suspension.is_unasked = false;
    berth_instance_begin_suspend(instance);
}

void berth_instance_suspend_unasked(BerthInstance *instance)
{
    berth_instance_suspend(instance);
    instance->suspension.is_unasked = instance->state == SUSPENDING;
}

bool berth_instance_qemu_suspended(BerthInstance *instance)
{
    Suspension *suspension = &instance->suspension;
    if (instance->state != SUSPENDING || suspension->phase != QUITTING)
        return false;
    berth_instance_clear_timer(&instance->timer);
    berth_instance_clear_qemu(instance);
    berth_device_state_free(g_steal_pointer(&suspension->operation));
    berth_server_set_paused(instance->server, false, NULL);
    suspension->phase = NOT_SUSPENDING;
    instance->state = SUSPENDED;
    berth_instance_idle_succeeded(instance);
    berth_console_log(instance->console, "%s is suspended", instance->machine->name);
    berth_instance_suspend_ended(instance, NULL);
    berth_server_held(instance->server, false);
    berth_instance_sleep_settle(instance);
    if (suspension->wake_wanted)
        berth_instance_wake(instance);
    else
        berth_instance_due_arm(instance);
    return true;
}

/* --- wake ------------------------------------------------------------------------------------- */

void berth_instance_notify_wake_failed(BerthInstance *instance, const GError *error)
{
    g_autofree char *line = g_strdup_printf("%s could not be woken, so its programs are lost: %s",
                                            instance->machine->name, error->message);
    berth_console_log(instance->console, "%s", line);
    berth_server_notify_clients(instance->server, line);
}

static void fail_wake(BerthInstance *instance, const GError *error)
{
    GError *failure = NULL;
    if (instance->takeover.active) {
        berth_instance_lose_parked(instance, error);
        return;
    }
    berth_instance_park_forget(instance, NULL);
    g_autofree char *hint =
        g_strdup_printf("the next command starts %s again", instance->machine->name);
    berth_instance_notify_wake_failed(instance, error);
    berth_error_set(&failure, BERTH_ERROR_FAILED, "instance.wake", hint,
                    "it could not be woken: %s", error->message);
    berth_instance_fail(instance, failure);
}

static gboolean on_wake_timeout(gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_FAILED, "instance.wake", NULL,
                    "QEMU did not load its state within %u s", WAKE_SEC);
    berth_instance_clear_timer(&instance->timer);
    fail_wake(instance, error);
    return G_SOURCE_REMOVE;
}

/* The state fits the memory, and both fit the disk, only until the guest continues. */
static void on_loaded(GBytes *state, bool with_memory, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_autoptr(GError) problem = NULL;
    if (instance->state != WAKING || instance->process.qmp == NULL)
        return;
    g_clear_pointer(&instance->suspension.state, g_bytes_unref);
    if (error != NULL)
        fail_wake(instance, error);
    else if (berth_instance_park_forget(instance, &problem))
        berth_instance_continue(instance);
    else
        fail_wake(instance, problem);
}

static void load_state(BerthInstance *instance)
{
    Suspension *suspension = &instance->suspension;
    suspension->operation = berth_device_state_load(instance->process.qmp, suspension->state,
                                                    suspension->with_memory, on_loaded, instance);
}

void berth_instance_memory_loaded(BerthInstance *instance, const GError *error)
{
    if (error != NULL)
        fail_wake(instance, error);
    else if (instance->process.qmp != NULL) /* else QEMU has ended, which is handled there */
        load_state(instance);
}

void berth_instance_wake(gpointer user_data)
{
    BerthInstance *instance = user_data;
    bool held = instance->state == SUSPENDED && berth_instance_is_hold_wanted(instance);
    if (instance->is_leaving && !instance->suspension.stop_wanted)
        return; /* who waits for the guest starts it again */
    if (instance->state == SUSPENDING || held)
        instance->suspension.wake_wanted = true;
    if (instance->suspension.quiet != NULL)
        watch_again(instance);
    if (instance->state != SUSPENDED || held)
        return;
    bool is_loading = false;
    g_autoptr(GError) error = NULL;
    instance->state = WAKING;
    berth_console_log(instance->console, "%s wakes", instance->machine->name);
    berth_instance_use_boot_files(instance); /* an upgrade may have replaced those of the paths */
    berth_instance_set_timer(instance, WAKE_SEC * 1000, on_wake_timeout);
    if (!berth_instance_unpark(instance, &is_loading, &error) ||
        !berth_instance_start_qemu(instance, &error))
        fail_wake(instance, error);
    else if (!is_loading)
        load_state(instance);
}

bool berth_instance_stop_asleep(BerthInstance *instance, BerthStopHow how, guint grace_sec)
{
    if (instance->state != SUSPENDING && instance->state != SUSPENDED && instance->state != WAKING)
        return false;
    if (how == BERTH_STOP_FORCE) {
        if (instance->process.qemu == NULL)
            berth_instance_fail(instance, NULL);
        return instance->process.qemu == NULL;
    }
    instance->suspension.stop_wanted = true;
    instance->suspension.stop_grace_sec = grace_sec;
    berth_instance_wake(instance);
    return true;
}

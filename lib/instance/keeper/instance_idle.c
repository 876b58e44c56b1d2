/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include <time.h>

/* --- what counts as use, as model/idle.h has it ------------------------------------------------
 */

void berth_instance_idle_frame(BerthInstance *instance, const WireFrame *frame)
{
    instance->idle.frames += frame->type == WIRE_DATA || frame->type == WIRE_OPENED;
}

/* Of QEMU, all threads: what the guest computes, and its emulation. */
gint64 berth_instance_processor_usec(const BerthInstance *instance)
{
    clockid_t clock;
    struct timespec used;
    if (instance->process.qemu == NULL ||
        clock_getcpuclockid(berth_qemu_pid(instance->process.qemu), &clock) != 0 ||
        clock_gettime(clock, &used) < 0)
        return 0;
    return (gint64)used.tv_sec * G_USEC_PER_SEC + used.tv_nsec / 1000;
}

static guint commands(const BerthInstance *instance)
{
    return berth_server_waited_for(instance->server) + berth_host_calls_open(instance->calls);
}

static BerthIdleSample sample_of(const BerthInstance *instance)
{
    return (BerthIdleSample){
        .commands = commands(instance),
        .data = instance->idle.frames,
        .packets = instance->idle.packets,
        .requests = instance->shares != NULL ? berth_share_process_requests(instance->shares) : 0,
        .processor_usec = berth_instance_processor_usec(instance) - instance->reclaim.spent_usec,
    };
}

/* --- the timer -------------------------------------------------------------------------------- */

static bool is_suspendable(const BerthInstance *instance)
{
    return instance->state == UP && !berth_instance_is_paused(instance);
}

static void sleep_now(BerthInstance *instance)
{
    bool stops = instance->idle.policy.action == BERTH_IDLE_STOP;
    if (!stops && instance->life.ends.is_private) { /* it ends with its command */
        berth_idle_begin(&instance->idle.policy, g_get_monotonic_time());
        return;
    }
    berth_console_log(instance->console, "%s is idle: %s", instance->machine->name,
                      stops ? "it is stopped" : "it is suspended");
    if (stops)
        berth_instance_stop(instance);
    else
        berth_instance_suspend_unasked(instance);
}

static void take_sample(BerthInstance *instance)
{
    Idle *idle = &instance->idle;
    const BerthIdleSample sample = sample_of(instance);
    gint64 now = g_get_monotonic_time();
    bool is_active = berth_idle_is_active(&idle->policy, &sample, now);
    berth_idle_sample(&idle->policy, &sample, now);
    berth_instance_checkpoint_sample(instance, is_active);
    if (berth_idle_deadline(&idle->policy, NULL) <= now)
        sleep_now(instance);
}

void berth_instance_idle_counted(BerthInstance *instance, guint64 packets)
{
    bool is_asked = instance->idle.is_asked;
    instance->idle.packets = packets;
    instance->idle.is_asked = false;
    if (is_asked && is_suspendable(instance))
        take_sample(instance);
}

/* Others ask the network too, whose answers are no sample: the period is the policy's. */
static void ask(BerthInstance *instance)
{
    instance->idle.is_asked = true;
    berth_net_process_count(instance->network);
}

static gboolean on_period(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->state != UP) {
        berth_instance_clear_timer(&instance->idle.timer);
        return G_SOURCE_REMOVE;
    }
    berth_instance_reclaim_sample(instance);
    berth_instance_measure(instance);
    if (instance->idle.policy.action == BERTH_IDLE_NEVER &&
        !berth_instance_checkpoint_is_wanted(instance))
        return G_SOURCE_CONTINUE;
    if (berth_instance_is_paused(instance)) /* it cannot do what it would */
        berth_idle_begin(&instance->idle.policy, g_get_monotonic_time());
    else
        ask(instance);
    return G_SOURCE_CONTINUE;
}

void berth_instance_idle_begin(BerthInstance *instance)
{
    Idle *idle = &instance->idle;
    gint64 now = g_get_monotonic_time();
    berth_idle_begin(&idle->policy, now);
    berth_idle_set_commands(&idle->policy, commands(instance), now);
    berth_instance_clear_timer(&idle->timer);
    berth_instance_reclaim_begin(instance);
    berth_instance_measure(instance);
    idle->timer = g_timeout_source_new((guint)(berth_idle_period(&idle->policy) / 1000));
    g_source_set_callback(idle->timer, on_period, instance, NULL);
    g_source_attach(idle->timer, g_main_context_get_thread_default());
}

void berth_instance_idle_failed(BerthInstance *instance, const GError *error)
{
    Idle *idle = &instance->idle;
    berth_idle_fail(&idle->policy, g_get_monotonic_time());
    g_free(idle->problem);
    idle->problem = g_strdup(error->message);
}

void berth_instance_idle_succeeded(BerthInstance *instance)
{
    berth_idle_succeed(&instance->idle.policy);
    g_clear_pointer(&instance->idle.problem, g_free);
}

/* --- clients ---------------------------------------------------------------------------------- */

void berth_instance_keep(guint32 seconds, gpointer user_data)
{
    BerthInstance *instance = user_data;
    gint64 until = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
    if (seconds == 0 || seconds == BERTH_KEEP_UNTIL_STOP)
        until = seconds == 0 ? 0 : G_MAXINT64;
    berth_idle_keep(&instance->idle.policy, until);
    if (seconds != 0)
        berth_instance_wake(instance);
}

/* From now on; BERTH_NOT_FORESEEN beyond any time. */
static guint64 remaining(gint64 until_usec, gint64 now_usec)
{
    return until_usec == G_MAXINT64 ? BERTH_NOT_FORESEEN : (guint64)MAX(until_usec - now_usec, 0);
}

void berth_instance_idle_status(BerthInstance *instance, BerthInstanceStatus *status)
{
    Idle *idle = &instance->idle;
    gint64 now = g_get_monotonic_time();
    BerthAwake awake;
    berth_idle_set_commands(&idle->policy, commands(instance), now);
    gint64 deadline = berth_idle_deadline(&idle->policy, &awake);
    bool is_up = instance->state == UP;
    status->idle = g_strdup(berth_idle_words[idle->policy.action]);
    status->idle_timeout_sec = instance->machine->idle_timeout_sec;
    status->awake = g_strdup(is_up ? berth_awake_word(awake) : "");
    status->idle_usec = is_up ? remaining(deadline, now) : BERTH_NOT_FORESEEN;
    status->kept_usec = remaining(idle->policy.kept_usec, now);
    status->idle_problem = g_strdup(idle->problem != NULL ? idle->problem : "");
}

void berth_instance_idle_clear(BerthInstance *instance)
{
    berth_instance_clear_timer(&instance->idle.timer);
    g_clear_pointer(&instance->idle.problem, g_free);
}

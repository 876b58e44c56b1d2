/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/table.h"
#include "vmm/qemu_args.h"

#include <unistd.h>

static const char *const state_words[] = {
    [STARTING] = "starting", [UP] = "running",          [SUSPENDING] = "suspending",
    [WAKING] = "waking",     [SUSPENDED] = "suspended", [STOPPING] = "stopping",
    [GONE] = "stopped"};

/* Whether @frame makes the guest do something for its user. */
static bool needs_guest(const WireFrame *frame)
{
    static const WireType types[] = {WIRE_OPEN, WIRE_CONNECT, WIRE_DATA, WIRE_EOF, WIRE_SIGNAL};
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (frame->type == types[i])
            return true;
    return false;
}

static void send_to_guest(const WireFrame *frame, guint32 stream, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->life.agent == NULL)
        return;
    berth_instance_idle_frame(instance, frame);
    berth_agent_client_send(instance->life.agent, frame, stream);
    if (needs_guest(frame))
        berth_instance_wake(instance);
}

static void hang_up(guint32 stream, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->life.agent != NULL)
        berth_agent_client_send_empty(instance->life.agent, WIRE_CLOSE, stream);
}

const BerthStreamsOps berth_instance_streams_ops = {send_to_guest, hang_up};

static WireBuffer *calls_output(gpointer user_data)
{
    BerthInstance *instance = user_data;
    return instance->life.agent != NULL ? berth_agent_client_output(instance->life.agent) : NULL;
}

static void flush_calls(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->life.agent != NULL)
        berth_agent_client_flush(instance->life.agent);
}

static char **calls_share_paths(gpointer user_data)
{
    return berth_instance_share_paths(user_data);
}

static void log_call(const char *text, gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_console_log(instance->console, "%s", text);
}

const BerthHostCallsOps berth_instance_calls_ops = {calls_output, flush_calls, calls_share_paths,
                                                    log_call};

static gboolean on_stop_timeout(gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_console_log(instance->console, "did not power off in time: forced");
    berth_instance_notify_lost_writes(instance);
    if (instance->process.qemu != NULL)
        berth_qemu_kill(instance->process.qemu);
    return G_SOURCE_REMOVE;
}

static void stop(BerthStopHow how, guint grace_sec, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (berth_instance_stop_asleep(instance, how, grace_sec))
        return;
    if (instance->state == GONE || instance->process.qemu == NULL)
        return;

    g_clear_pointer(&instance->clock, berth_host_clock_free); /* which takes a moment */
    bool can_ask = instance->life.agent != NULL && *instance->life.init != '\0';
    if (how == BERTH_STOP_FORCE || !can_ask) {
        instance->state = STOPPING;
        berth_instance_clear_timer(&instance->timer);
        berth_qemu_kill(instance->process.qemu);
        return;
    }
    if (instance->state == STOPPING)
        return;
    instance->state = STOPPING;
    berth_server_set_up(instance->server, false);
    berth_sockets_set_up(instance->sockets, false);
    berth_agent_client_power(instance->life.agent, WIRE_POWER_OFF);
    berth_pause_retry(instance->process.pause);
    berth_instance_set_timer(instance, grace_sec * 1000, on_stop_timeout);
}

static void on_disk_resized(BerthQmp *qmp, JsonNode *result, const GError *error,
                            gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (error != NULL)
        berth_server_grown(instance->server, error);
    else if (instance->life.agent != NULL)
        berth_agent_client_grow(instance->life.agent, instance->life.disk_size);
}

static void grow(guint64 size, gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_autoptr(GError) error = NULL;
    berth_instance_set_stopped_error(&error);
    instance->life.disk_size = size;
    if (instance->state == UP && instance->process.qmp != NULL)
        berth_qmp_resize(instance->process.qmp, BERTH_QEMU_ROOT_NODE, size, on_disk_resized,
                         instance);
    else
        berth_server_grown(instance->server, error);
}

/* A distro that stands still is suspended for whoever asks, but that of an automatic snapshot: no
 * one did anything to it. */
static State shown_state(const BerthInstance *instance)
{
    bool for_checkpoint = instance->state == SUSPENDING && instance->suspension.for_hold &&
                          berth_instance_checkpoint_is_running(instance);
    if (for_checkpoint)
        return UP;
    return berth_instance_is_held(instance) ? SUSPENDED : instance->state;
}

static BerthInstanceStatus *get_status(gpointer user_data)
{
    BerthInstance *instance = user_data;
    BerthInstanceStatus *status = g_new0(BerthInstanceStatus, 1);
    const char *pause = berth_pause_reason(instance->process.pause);
    State state = shown_state(instance);
    bool is_suspended = instance->state == SUSPENDED;
    bool is_parked = is_suspended && instance->park.phase == PARKED;
    status->state = g_strdup(pause != NULL ? "paused"
                             : is_parked   ? "parked"
                                           : berth_table_to_string(state_words, state));
    const char *not_parked = is_suspended ? instance->park.problem : NULL;
    status->reason = g_strdup(pause != NULL ? pause : not_parked != NULL ? not_parked : "");
    status->accel = g_strdup(berth_accel_word((BerthAccel)instance->machine->accel));
    status->keeper_pid = (guint)getpid();
    status->qemu_pid =
        instance->process.qemu != NULL ? (guint)berth_qemu_pid(instance->process.qemu) : 0;
    status->uptime_usec = berth_clock_boottime() - instance->started_usec;
    status->kernel = g_strdup(instance->life.kernel);
    status->init = g_strdup(instance->life.init);
    status->init_status = g_strdup(instance->life.init_status);
    status->memory_kept = berth_instance_memory_kept(instance);
    status->use = instance->use.last;
    berth_instance_measure(instance); /* for the next one who asks */
    berth_instance_idle_status(instance, status);
    berth_instance_due_status(instance, status);
    berth_instance_checkpoint_status(instance, status);
    status->host_ports =
        instance->network != NULL
            ? berth_guest_access_temporary(berth_net_process_access(instance->network))
            : g_strdup("");
    return status;
}

static GPtrArray *get_ports(gpointer user_data)
{
    BerthInstance *instance = user_data;
    return instance->network != NULL ? berth_net_process_forwards(instance->network)
                                     : g_ptr_array_new();
}

static bool set_rule(const BerthRule *rule, bool wanted, gpointer user_data, GError **error)
{
    BerthInstance *instance = user_data;
    if (instance->network == NULL) {
        berth_instance_set_stopped_error(error);
        return false;
    }
    berth_net_process_set_rule(instance->network, rule, wanted);
    return true;
}

static char **get_shares(gpointer user_data)
{
    return berth_instance_share_paths(user_data);
}

void berth_instance_settle_shares(BerthInstance *instance, BerthSharesEffect effect)
{
    berth_instance_clear_timer(&instance->shares_timer);
    berth_server_shares_settled(instance->server, effect);
}

static gboolean on_shares_timeout(gpointer user_data)
{
    berth_instance_settle_shares(user_data, BERTH_SHARES_SLOW);
    return G_SOURCE_REMOVE;
}

/* Have clients wait until the guest uses its shares, for a limited time. False: it does. */
static bool wait_for_shares(BerthInstance *instance)
{
    if (instance->life.share_root == NULL || instance->life.agent == NULL ||
        berth_share_process_is_ready(instance->shares))
        return false;
    berth_instance_clear_timer(&instance->shares_timer);
    instance->shares_timer = g_timeout_source_new_seconds(BERTH_SHARES_WAIT_SEC);
    g_source_set_callback(instance->shares_timer, on_shares_timeout, instance, NULL);
    g_source_attach(instance->shares_timer, g_main_context_get_thread_default());
    return true;
}

/* The guest is to have the machine's new shares. */
static BerthSharesEffect replace_shares(BerthInstance *instance)
{
    const GuestLife *life = &instance->life;
    bool mounts = life->share_root != NULL || (life->offers_shares && instance->state == STARTING);
    if (!mounts)
        return BERTH_SHARES_LATER;
    if (life->share_root == NULL || life->agent == NULL)
        return BERTH_SHARES_CURRENT; /* it gets them when it has mounted, or boots again */
    g_auto(GStrv) paths = berth_instance_share_paths(instance);
    berth_agent_client_set_shares(life->agent, (const char *const *)paths);
    berth_share_process_replace(instance->shares);
    return BERTH_SHARES_REPLACED;
}

static const GPtrArray *get_skipped_shares(gpointer user_data)
{
    const BerthInstance *instance = user_data;
    return berth_share_process_skipped(instance->shares);
}

static bool set_shares(const char *const *shares, BerthSharesEffect *ret_effect, bool *ret_waits,
                       gpointer user_data, GError **error)
{
    BerthInstance *instance = user_data;
    BerthMachine *machine = instance->machine;
    if (instance->shares == NULL || instance->state == STOPPING) {
        berth_instance_set_stopped_error(error);
        return false;
    }
    if (machine->isolated) {
        berth_error_set(error, BERTH_ERROR_DENIED, "instance.isolated", NULL,
                        "%s runs isolated from this host", machine->name);
        return false;
    }
    *ret_effect = BERTH_SHARES_CURRENT;
    if (!g_strv_equal(shares, (const char *const *)machine->shares)) {
        g_strfreev(machine->shares);
        machine->shares = g_strdupv((char **)shares);
        berth_instance_store_shares(instance);
        *ret_effect = replace_shares(instance);
    }
    *ret_waits = wait_for_shares(instance);
    if (*ret_waits)
        berth_instance_wake(instance);
    return true;
}

static const BerthBootReport *get_boot(gpointer user_data)
{
    const BerthInstance *instance = user_data;
    return instance->life.report;
}

/* NULL with @error once the network was given up. */
static BerthGuestAccess *get_access(BerthInstance *instance, GError **error)
{
    if (instance->network != NULL)
        return berth_net_process_access(instance->network);
    berth_instance_set_stopped_error(error);
    return NULL;
}

static bool set_host_ports(const char *ports, gpointer user_data, GError **error)
{
    BerthGuestAccess *access = get_access(user_data, error);
    return access != NULL && berth_guest_access_set_allowed(access, ports, error);
}

static bool allow_host_port(guint16 port, gpointer user_data, GError **error)
{
    BerthGuestAccess *access = get_access(user_data, error);
    return access != NULL && berth_guest_access_allow(access, port, error);
}

static void session_opened(pid_t pid, gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_host_calls_follow(instance->calls, pid);
}

const BerthServerOps berth_instance_server_ops = {
    .stop = stop,
    .grow = grow,
    .suspend = berth_instance_suspend,
    .park = berth_instance_park,
    .wake = berth_instance_wake,
    .hold = berth_instance_hold,
    .release = berth_instance_release,
    .prepare = berth_instance_prepare,
    .unprepare = berth_instance_unprepare,
    .save = berth_instance_save_memory,
    .await = berth_instance_await_memory,
    .forget = berth_instance_forget_memory,
    .keep = berth_instance_keep,
    .status = get_status,
    .ports = get_ports,
    .set_rule = set_rule,
    .set_host_ports = set_host_ports,
    .allow_host_port = allow_host_port,
    .shares = get_shares,
    .set_shares = set_shares,
    .skipped_shares = get_skipped_shares,
    .boot = get_boot,
    .session_opened = session_opened,
};

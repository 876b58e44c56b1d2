/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "instance/control/control.h"
#include "instance/control/runtime_files.h"

#include <glib-unix.h>
#include <sys/wait.h>

static void finish(BerthInstance *instance);

/* --- the timer of a state --------------------------------------------------------------------- */

void berth_instance_clear_timer(GSource **timer)
{
    if (*timer == NULL)
        return;
    g_source_destroy(*timer);
    g_clear_pointer(timer, g_source_unref);
}

void berth_instance_set_timer(BerthInstance *instance, guint msec, GSourceFunc func)
{
    berth_instance_clear_timer(&instance->timer);
    instance->timer = g_timeout_source_new(msec);
    g_source_set_callback(instance->timer, func, instance, NULL);
    g_source_attach(instance->timer, g_main_context_get_thread_default());
}

/* --- ending ----------------------------------------------------------------------------------- */

static gboolean on_finish(gpointer user_data)
{
    finish(user_data);
    return G_SOURCE_REMOVE;
}

/* Kills QEMU; on_qemu_exit does the rest. */
void berth_instance_fail(BerthInstance *instance, GError *failure)
{
    if (instance->failure == NULL)
        instance->failure = failure;
    else
        g_clear_error(&failure);

    berth_instance_clear_timer(&instance->timer);
    if (instance->state != GONE)
        instance->state = STOPPING;
    if (instance->process.qemu != NULL) {
        berth_qemu_kill(instance->process.qemu);
    } else if (instance->finisher == NULL) {
        instance->finisher = g_idle_source_new();
        g_source_set_callback(instance->finisher, on_finish, instance, NULL);
        g_source_attach(instance->finisher, g_main_context_get_thread_default());
    }
}

void berth_instance_set_stopped_error(GError **error)
{
    berth_error_set(error, BERTH_ERROR_NOT_RUNNING, "instance.stopped", NULL, "it has stopped");
}

/* Let clients retry, on the next start, the sessions that the guest has not begun. A command may
 * have ended the machine and must not end the next one too: sessions already sent to the guest are
 * released only when a signal from outside killed QEMU. */
static void release_sessions(BerthInstance *instance)
{
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_NOT_RUNNING, "session.not-begun", "try again",
                    "it stopped before the command began");
    berth_server_release(instance->server, error, instance->was_killed);
}

/* Answer every client. Open sessions get the error that ended them. Waiting clients get a failure
 * to start; after an instance that was up they get "instance.stopped" and may start it again. */
static void fail_clients(BerthInstance *instance)
{
    g_autoptr(GError) stopped = NULL;
    berth_instance_set_stopped_error(&stopped);
    const GError *failure = instance->failure != NULL ? instance->failure : stopped;
    if (instance->life.was_up)
        release_sessions(instance);
    berth_server_fail(instance->server, failure, instance->life.was_up);
    berth_server_finish(instance->server, stopped);
}

static void finish(BerthInstance *instance)
{
    berth_instance_clear_timer(&instance->finisher);
    instance->state = GONE;
    berth_instance_sleep_clear(instance);
    g_clear_pointer(&instance->network, berth_net_process_free);
    g_clear_pointer(&instance->shares, berth_share_process_free);
    g_clear_pointer(&instance->sockets, berth_sockets_free);
    berth_host_calls_reset(instance->calls);
    berth_console_log(instance->console, "%s %s", instance->machine->name,
                      instance->failure != NULL ? instance->failure->message : "was powered off");
    berth_instance_park_end(instance);
    berth_instance_checkpoint_end(instance);
    berth_instance_unprepare(instance);
    berth_instance_clear_copy(instance);
    g_clear_pointer(&instance->console, berth_console_free);
    berth_runtime_files_end(instance->dir_fd);
    fail_clients(instance);
    instance->on_gone(instance, instance->user_data);
}

/* --- starting --------------------------------------------------------------------------------- */

/* Tell those who start it that it was parked before. */
static void report_loss(BerthInstance *instance)
{
    Takeover *takeover = &instance->takeover;
    takeover->active = false;
    if (takeover->loss != NULL)
        berth_boot_report_problem(instance->life.report, takeover->loss);
    g_clear_pointer(&takeover->loss, g_free);
}

/* Start QEMU: the first time, or after a reboot of the guest. */
static void launch(BerthInstance *instance)
{
    g_autoptr(GError) error = NULL;
    instance->state = STARTING;
    berth_instance_clear_suspension(instance);
    berth_instance_unprepare(instance);
    berth_instance_clear_copy(instance);
    berth_instance_park_forget(instance, NULL); /* the disk will be written */
    berth_port_notices_set_up(instance->port_notices, -1);
    berth_instance_begin_life(instance);
    berth_fd_close(&instance->lent_fd);
    report_loss(instance);
    berth_console_log(instance->console, "%s starts", instance->machine->name);
    if (berth_instance_open_life(instance, &error) && berth_instance_start_qemu(instance, &error))
        berth_instance_boot_guest(instance);
    else
        berth_instance_fail(instance, g_steal_pointer(&error));
}

void berth_instance_begin_up(BerthInstance *instance)
{
    instance->life.was_up = true;
    berth_port_notices_set_up(instance->port_notices, g_get_monotonic_time());
    berth_sockets_set_up(instance->sockets, true);
}

void berth_instance_come_up(BerthInstance *instance)
{
    if (instance->state != STARTING)
        return;
    berth_instance_clear_timer(&instance->timer);
    instance->state = UP;
    berth_instance_begin_up(instance);
    berth_server_set_up(instance->server, true);
    berth_instance_idle_begin(instance);
}

static void drop_qemu(BerthInstance *instance)
{
    berth_instance_end_life(instance);
    berth_instance_clear_qemu(instance);
    berth_server_set_paused(instance->server, false, NULL);
}

static void reboot(BerthInstance *instance)
{
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_NOT_RUNNING, "instance.rebooted", NULL, "%s was rebooted",
                    instance->machine->name);
    berth_console_log(instance->console, "%s reboots", instance->machine->name);
    berth_server_set_up(instance->server, false);
    berth_server_fail(instance->server, error, true);
    drop_qemu(instance);
    berth_instance_use_boot_files(instance);
    launch(instance);
}

/* Unless the keeper was told to end meanwhile, or a client wants the guest to stop. */
void berth_instance_boot_instead(BerthInstance *instance)
{
    bool ends = instance->is_leaving || instance->suspension.stop_wanted;
    drop_qemu(instance);
    if (!ends) {
        launch(instance);
        return;
    }
    instance->is_leaving = false;
    berth_instance_fail(instance, NULL);
}

void berth_instance_qemu_ended(BerthInstance *instance)
{
    if (berth_instance_qemu_suspended(instance))
        return;
    if (berth_instance_takeover_failed(instance)) {
        berth_instance_boot_instead(instance);
        return;
    }
    bool panicked = berth_console_panic(instance->console) != NULL;
    bool lives = instance->state == UP || instance->state == SUSPENDING;
    if (lives && instance->process.end_reason == END_REBOOT && !panicked) {
        reboot(instance);
        return;
    }
    bool orderly =
        instance->state == STOPPING || (lives && instance->process.end_reason == END_POWERED_OFF);
    if (!orderly && instance->failure == NULL) {
        instance->was_killed = WIFSIGNALED(instance->process.wait_status);
        instance->failure = berth_instance_crash_error(instance);
        if (instance->state == WAKING)
            berth_instance_notify_wake_failed(instance, instance->failure);
    }
    drop_qemu(instance);
    finish(instance);
}

/* --- the network ------------------------------------------------------------------------------ */

static void log_line(const char *text, gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_console_log(instance->console, "%s", text);
}

static void on_network_refused(const char *text, gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_console_log(instance->console, "%s", text);
    berth_server_notify_terminals(instance->server, text);
}

static void on_network_failed(const GError *error, gpointer user_data)
{
    berth_instance_fail(user_data, g_error_copy(error));
}

static void on_ports_changed(const GPtrArray *forwards, gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_server_ports_changed(instance->server, forwards);
    g_auto(GStrv) lines =
        berth_port_notices_update(instance->port_notices, forwards, g_get_monotonic_time());
    for (char **line = lines; *line != NULL && instance->machine->ports_notify; line++)
        berth_server_notify_terminals(instance->server, *line);
}

static const BerthNetProcessEvents network_events = {.log = log_line,
                                                     .refused = on_network_refused,
                                                     .failed = on_network_failed,
                                                     .watched = berth_instance_on_watched,
                                                     .wake = berth_instance_on_packet,
                                                     .counted = berth_instance_on_counted,
                                                     .changed = on_ports_changed};

static void on_call_frame(const WireFrame *frame, gpointer owner)
{
    berth_host_calls_frame(owner, frame);
}

/* --- the shares ------------------------------------------------------------------------------- */

/* Its notices are known now, and belong to the start. */
static void on_shares_begun(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->life.is_booted)
        berth_instance_come_up(instance);
}

static void on_shares_failed(const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    log_line(error->message, instance);
    g_clear_pointer(&instance->life.share_root, g_free);
    berth_instance_settle_shares(instance, BERTH_SHARES_LATER);
    berth_instance_shares_caught_up(instance);
    on_shares_begun(instance);
    if (instance->life.agent == NULL)
        return;
    const char *const none[] = {NULL};
    berth_agent_client_set_shares(instance->life.agent, none);
    berth_agent_client_unshare(instance->life.agent);
}

static void on_shares_ready(gpointer user_data)
{
    berth_instance_settle_shares(user_data, BERTH_SHARES_CURRENT);
    berth_instance_shares_caught_up(user_data);
}

static void on_share_skipped(const char *text, gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_autofree char *line = g_strdup_printf("%s does not see %s", instance->machine->name, text);
    log_line(line, instance);
    if (instance->state == STARTING)
        berth_boot_report_problem(instance->life.report, line);
}

static const BerthShareProcessEvents shares_events = {.log = log_line,
                                                      .begun = on_shares_begun,
                                                      .ready = on_shares_ready,
                                                      .changed = berth_instance_on_changed,
                                                      .skipped = on_share_skipped,
                                                      .failed = on_shares_failed};

/* --- the owner -------------------------------------------------------------------------------- */

/* Nobody waits for the guest's orderly end: a throw-away clone is removed. */
static gboolean on_owner_ended(int fd, GIOCondition condition, gpointer user_data)
{
    BerthInstance *instance = user_data;
    log_line("the command that it was made for has ended", instance);
    berth_instance_server_ops.stop(BERTH_STOP_FORCE, 0, instance);
    return G_SOURCE_REMOVE;
}

/* Stop the instance once the machine's owner, if it has one, has ended. */
static void follow_owner(BerthInstance *instance)
{
    if (instance->machine->owner == NULL)
        return;
    instance->owner_fd = berth_process_open(instance->machine->owner, NULL);
    if (instance->owner_fd < 0) {
        on_owner_ended(-1, 0, instance);
        return;
    }
    instance->owner = g_unix_fd_source_new(instance->owner_fd, G_IO_IN);
    g_source_set_callback(instance->owner, G_SOURCE_FUNC(on_owner_ended), instance, NULL);
    g_source_attach(instance->owner, g_main_context_get_thread_default());
}

/* --- the public part -------------------------------------------------------------------------- */

BerthInstance *berth_instance_new(BerthMachine *machine, const char *dir, const char *support_dir,
                                  int listen_fd, int lent_fd, BerthInstanceGoneFunc on_gone,
                                  gpointer user_data)
{
    BerthInstance *instance = g_new0(BerthInstance, 1);
    instance->machine = machine;
    instance->dir_fd = berth_runtime_files_open(dir);
    berth_instance_hold_boot_files(instance);
    instance->owner_fd = -1;
    instance->lent_fd = lent_fd;
    instance->on_gone = on_gone;
    instance->user_data = user_data;
    instance->idle.policy =
        berth_idle_new((BerthIdleAction)machine->idle, machine->idle_timeout_sec);
    berth_instance_checkpoint_init(instance, support_dir);
    instance->started_usec = berth_clock_boottime();
    instance->life.kernel = g_strdup("");
    instance->life.ends = (BerthGuestEnds)BERTH_GUEST_ENDS_INIT;
    berth_instance_begin_life(instance); /* STATUS is answered even if nothing can start */
    instance->console = berth_console_new(machine->log, machine->log_size);
    berth_instance_follow_host(instance);
    berth_instance_reclaim_watch(instance);
    berth_instance_sleep_init(instance);
    instance->port_notices = berth_port_notices_new(machine->name);
    instance->streams = berth_streams_new(&berth_instance_streams_ops, instance);
    instance->calls =
        berth_host_calls_new(machine, support_dir, &berth_instance_calls_ops, instance);
    berth_streams_accept(instance->streams, on_call_frame, instance->calls);
    instance->server =
        berth_server_new(listen_fd, instance->streams, &berth_instance_server_ops, instance);

    g_autoptr(GError) error = NULL;
    instance->sockets = berth_sockets_new(dir, instance->streams, log_line, instance, &error);
    if (instance->sockets != NULL)
        instance->network =
            berth_net_process_new(machine, dir, support_dir, &network_events, instance, &error);
    if (instance->network != NULL)
        instance->shares =
            berth_share_process_new(machine, dir, support_dir, &shares_events, instance, &error);
    if (instance->shares == NULL)
        berth_instance_fail(instance, g_steal_pointer(&error));
    else if (!berth_instance_take_over(instance))
        launch(instance);
    follow_owner(instance);
    return instance;
}

void berth_instance_free(BerthInstance *instance)
{
    if (instance == NULL)
        return;
    berth_instance_clear_timer(&instance->timer);
    berth_instance_clear_timer(&instance->finisher);
    berth_instance_clear_timer(&instance->shares_timer);
    berth_instance_idle_clear(instance);
    berth_instance_sleep_clear(instance);
    berth_instance_reclaim_clear(instance);
    berth_instance_park_end(instance);
    berth_instance_unprepare(instance);
    berth_instance_clear_copy(instance);
    berth_instance_due_clear(instance);
    g_free(instance->takeover.loss);
    berth_instance_checkpoint_clear(instance);
    berth_instance_clear_timer(&instance->owner);
    berth_server_free(instance->server);
    berth_sockets_free(instance->sockets);
    berth_streams_free(instance->streams);
    berth_host_calls_free(instance->calls);
    berth_net_process_free(instance->network);
    berth_share_process_free(instance->shares);
    berth_instance_clear_life(instance);
    berth_instance_clear_qemu(instance);
    berth_instance_clear_suspension(instance);
    berth_console_free(instance->console);
    berth_host_clock_free(instance->clock);
    berth_host_names_free(instance->names);
    berth_host_route_free(instance->route);
    berth_port_notices_free(instance->port_notices);
    g_clear_error(&instance->failure);
    berth_machine_free(instance->machine);
    berth_fd_close(&instance->kernel_fd);
    berth_fd_close(&instance->initramfs_fd);
    berth_fd_close(&instance->lent_fd);
    berth_fd_close(&instance->dir_fd);
    berth_fd_close(&instance->owner_fd);
    g_free(instance);
}

void berth_instance_stop(BerthInstance *instance)
{
    berth_instance_server_ops.stop(BERTH_STOP_ORDERLY, instance->machine->stop_timeout_sec,
                                   instance);
}

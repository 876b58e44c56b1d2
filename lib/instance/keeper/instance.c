/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/zone.h"
#include "instance/control/control.h"
#include "instance/control/runtime_files.h"
#include "crash.h"

#include <sys/wait.h>
#include <unistd.h>

static void launch(BerthInstance *instance);
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
        g_error_free(failure);

    berth_instance_clear_timer(&instance->timer);
    if (instance->state != GONE)
        instance->state = STOPPING;
    if (instance->qemu != NULL) {
        berth_qemu_kill(instance->qemu);
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
    if (instance->was_up)
        release_sessions(instance);
    berth_server_fail(instance->server, failure, instance->was_up);
    berth_server_finish(instance->server, stopped);
}

static void finish(BerthInstance *instance)
{
    berth_instance_clear_timer(&instance->finisher);
    instance->state = GONE;
    g_clear_pointer(&instance->network, berth_net_process_free);
    g_clear_pointer(&instance->sockets, berth_sockets_free);
    berth_console_log(instance->console, "%s %s", instance->machine->name,
                      instance->failure != NULL ? instance->failure->message : "was powered off");
    g_clear_pointer(&instance->console, berth_console_free);
    berth_runtime_files_end(instance->dir_fd);
    fail_clients(instance);
    instance->on_gone(instance, instance->user_data);
}

/* Needed only after the host's clock jumped: between jumps the guest's own clock is right. */
static void send_clock(BerthInstance *instance)
{
    const char *zone = instance->machine->time_zone;
    if (instance->agent != NULL && *instance->init != '\0')
        berth_agent_client_set_clock(instance->agent, zone != NULL ? zone : "");
}

static void on_host_clock(gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_free(instance->machine->time_zone);
    instance->machine->time_zone = berth_zone_name(BERTH_ZONE_LINK);
    send_clock(instance);
}

static void on_host_route(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->agent != NULL && *instance->init != '\0')
        berth_agent_client_set_route6(instance->agent, berth_host_route_leads_out(instance->route));
}

static void send_names(BerthInstance *instance)
{
    berth_agent_client_set_names(instance->agent, berth_host_names_search(instance->names),
                                 berth_host_names_hosts(instance->names));
    guint left_out = berth_host_names_left_out(instance->names);
    if (left_out == 0)
        return;
    g_autofree char *text =
        g_strdup_printf("the last %u lines of this host's " BERTH_HOST_NAMES_HOSTS
                        " are not passed on: the names would take more than %u KiB",
                        left_out, (guint)WIRE_NAMES_MAX / 1024);
    berth_console_log(instance->console, "%s", text);
    berth_boot_report_notice(instance->report, text);
}

static void on_host_names(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->agent != NULL && *instance->init != '\0')
        send_names(instance);
}

/* The error for a QEMU that ended unasked. */
static GError *crash_error(BerthInstance *instance)
{
    const BerthCrash crash = {
        .name = instance->machine->name,
        .stage = instance->was_up ? NULL : instance->problem,
        .no_disk = instance->no_disk,
        .qemu_words = berth_qemu_last_words(instance->qemu),
        .panic = berth_console_panic(instance->console),
        .guest_ended = instance->end_reason != END_UNKNOWN,
        .wait_status = instance->wait_status,
    };
    return berth_crash_error(&crash);
}

static void drop_qemu(BerthInstance *instance)
{
    if (instance->network != NULL)
        berth_net_process_update(instance->network, NULL);
    berth_sockets_set_up(instance->sockets, false);
    berth_sockets_reset(instance->sockets);
    g_clear_pointer(&instance->agent, berth_agent_client_free);
    g_clear_pointer(&instance->qmp, berth_qmp_free);
    g_clear_pointer(&instance->qemu, berth_qemu_free);
    g_clear_pointer(&instance->pause, berth_pause_free);
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

/* Proceed once QEMU has been reaped and QMP, which carries the reason, is at EOF. */
static void advance_end(BerthInstance *instance)
{
    if (!instance->qemu_ended || instance->qmp != NULL)
        return;

    bool panicked = berth_console_panic(instance->console) != NULL;
    if (instance->state == UP && instance->end_reason == END_REBOOT && !panicked) {
        reboot(instance);
        return;
    }
    bool orderly = instance->state == STOPPING ||
                   (instance->state == UP && instance->end_reason == END_POWERED_OFF);
    if (!orderly && instance->failure == NULL) {
        instance->was_killed = WIFSIGNALED(instance->wait_status);
        instance->failure = crash_error(instance);
    }
    drop_qemu(instance);
    finish(instance);
}

static void on_qemu_exit(BerthQemu *qemu, int wait_status, gpointer user_data)
{
    BerthInstance *instance = user_data;
    instance->qemu_ended = true;
    instance->wait_status = wait_status;
    advance_end(instance);
}

static gboolean on_agent_timeout(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (berth_instance_is_paused(instance))
        return G_SOURCE_CONTINUE; /* restart the time limit */
    GError *error = NULL;
    g_autofree char *hint =
        g_strdup_printf("the next command starts %s anew", instance->machine->name);
    berth_error_set(&error, BERTH_ERROR_GUEST, "instance.agent", hint,
                    "berth's agent in the guest was ended");
    berth_instance_clear_timer(&instance->timer);
    berth_instance_fail(instance, error);
    return G_SOURCE_REMOVE;
}

/* The guest closed the channel: somebody killed the agent, or an init did at the end of a shutdown.
 * No session works without it. QEMU ends by itself, or is killed after AGENT_GRACE_SEC; how it ends
 * decides the error that sessions get. */
static void lose_agent(BerthInstance *instance)
{
    if (instance->agent == NULL)
        return;
    g_clear_pointer(&instance->agent, berth_agent_client_free);
    berth_console_log(instance->console, "the agent in the guest was ended");
    berth_server_set_up(instance->server, false);
    berth_sockets_set_up(instance->sockets, false);
    if (instance->state != STOPPING)
        berth_instance_set_timer(instance, AGENT_GRACE_SEC * 1000, on_agent_timeout);
}

static void on_qmp_event(BerthQmp *qmp, const BerthQmpEvent *event, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (g_str_equal(event->name, "VSERPORT_CHANGE") && g_str_equal(event->reason, "closed"))
        lose_agent(instance);
    if (g_str_equal(event->name, "RESUME"))
        send_clock(instance);
    if (berth_instance_pause_event(instance, event) || !g_str_equal(event->name, "SHUTDOWN"))
        return;
    bool reset = g_str_equal(event->reason, "guest-reset");
    bool off = g_str_equal(event->reason, "guest-shutdown");
    instance->end_reason = reset ? END_REBOOT : off ? END_POWERED_OFF : END_UNKNOWN;
}

static void on_qmp_closed(BerthQmp *qmp, const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_clear_pointer(&instance->qmp, berth_qmp_free);
    if (berth_error_is(error, BERTH_ERROR_PROTOCOL))
        berth_instance_fail(instance, g_error_copy(error));
    advance_end(instance);
}

/* --- coming up -------------------------------------------------------------------------------- */

static gboolean on_boot_timeout(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (berth_instance_is_paused(instance))
        return G_SOURCE_CONTINUE;
    GError *error = NULL;
    g_autofree char *hint =
        g_strdup_printf("\"berth logs %s\" shows the console", instance->machine->name);
    berth_error_set(&error, BERTH_ERROR_GUEST, "instance.boot-timeout", hint,
                    "the guest did not answer within %u s%s%s", instance->machine->boot_timeout_sec,
                    instance->problem != NULL ? ": " : "",
                    instance->problem != NULL ? instance->problem : "");
    berth_instance_clear_timer(&instance->timer);
    berth_instance_fail(instance, error);
    return G_SOURCE_REMOVE;
}

static void come_up(BerthInstance *instance)
{
    if (instance->state != STARTING)
        return;
    berth_instance_clear_timer(&instance->timer);
    instance->state = UP;
    instance->was_up = true;
    berth_port_notices_set_up(instance->port_notices, g_get_monotonic_time());
    berth_server_set_up(instance->server, true);
    berth_sockets_set_up(instance->sockets, true);
}

/* Add a problem that does not stop the start to the log and to the boot report. */
static void log_and_report(BerthInstance *instance, const char *text)
{
    const char *name = instance->machine->name;
    g_autofree char *with_places = g_strdup_printf(
        "%s: \"berth logs %s\" shows the console, \"berth console %s\" gives a shell", text, name,
        name);
    berth_console_log(instance->console, "%s", text);
    berth_boot_report_problem(instance->report, with_places);
}

static gboolean on_init_timeout(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (berth_instance_is_paused(instance))
        return G_SOURCE_CONTINUE;
    g_autofree char *text = g_strdup_printf("%s has not finished starting within %u s",
                                            instance->init, instance->init_timeout_msec / 1000);
    log_and_report(instance, text);
    come_up(instance);
    return G_SOURCE_REMOVE;
}

static void assign(char **member, const char *text)
{
    g_free(*member);
    *member = g_strdup(text);
}

static void on_hello(const char *kernel, gpointer user_data)
{
    BerthInstance *instance = user_data;
    assign(&instance->kernel, kernel);
}

static void on_stage(const char *name, guint64 boottime_usec, const char *problem,
                     gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_console_log(instance->console, "%8.3f s  %s%s%s", (double)boottime_usec / 1e6, name,
                      problem != NULL ? ": " : "", problem != NULL ? problem : "");
    berth_boot_report_guest(instance->report, name, boottime_usec, problem);
    if (problem == NULL)
        return;
    instance->no_disk = g_str_equal(name, "disk");
    g_free(instance->problem);
    instance->problem = g_strdup_printf("%s: %s", name, problem);
}

static void on_ready(const char *init, guint init_timeout_msec, gpointer user_data)
{
    BerthInstance *instance = user_data;
    assign(&instance->init, init);
    send_clock(instance);
    if (instance->state != STARTING)
        return;
    berth_boot_report_mark(instance->report, "ready");
    instance->init_timeout_msec =
        init_timeout_msec != 0 ? init_timeout_msec : instance->machine->init_timeout_sec * 1000;
    berth_instance_set_timer(instance, instance->init_timeout_msec, on_init_timeout);
    berth_server_set_ready(instance->server);
}

static void on_note(const char *text, gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_console_log(instance->console, "%s", text);
    berth_boot_report_notice(instance->report, text);
}

static void on_booted(const char *status, gpointer user_data)
{
    BerthInstance *instance = user_data;
    assign(&instance->init_status, status);
    berth_console_log(instance->console, "%s: %s", instance->init, instance->init_status);
    if (instance->state == STARTING)
        berth_boot_report_mark(instance->report, "booted");
    if (g_str_equal(status, "maintenance"))
        log_and_report(instance, "the distro has come up in maintenance mode");
    come_up(instance);
}

static void on_listeners(GPtrArray *listeners, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->network != NULL)
        berth_net_process_update(instance->network, listeners);
}

static void on_grown(const char *problem, gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_autoptr(GError) error = NULL;
    if (problem != NULL)
        berth_error_set(&error, BERTH_ERROR_GUEST, "resize.guest",
                        "it grows when the distro is started the next time",
                        "the disk has grown, but not the file system in it: %s", problem);
    berth_server_grown(instance->server, error);
}

static bool on_session(const WireFrame *frame, gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_streams_deliver(instance->streams, frame);
    return true;
}

/* The channel closed or the agent broke the protocol. The instance is of no use without it; QEMU
 * usually ends by itself. */
static void on_agent_lost(const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_clear_pointer(&instance->agent, berth_agent_client_free);
    if (error != NULL)
        berth_instance_fail(instance, g_error_copy(error));
}

static const BerthAgentClientEvents agent_events = {
    .hello = on_hello,
    .stage = on_stage,
    .ready = on_ready,
    .note = on_note,
    .booted = on_booted,
    .listeners = on_listeners,
    .grown = on_grown,
    .session = on_session,
    .lost = on_agent_lost,
};

static bool spawn_qemu(BerthInstance *instance, GError **error)
{
    BerthQemuChannels channels;
    instance->qemu =
        berth_qemu_spawn(instance->machine, berth_net_process_guest_fd(instance->network),
                         on_qemu_exit, instance, &channels, error);
    if (instance->qemu == NULL)
        return false;
    berth_instance_watch_pauses(instance);
    instance->qmp = berth_qmp_new(channels.qmp, on_qmp_event, on_qmp_closed, instance);
    instance->agent = berth_agent_client_new(channels.agent, instance->machine,
                                             berth_host_route_leads_out(instance->route),
                                             &agent_events, instance);
    send_names(instance);
    berth_console_attach(instance->console, channels.console);
    return true;
}

/* Start QEMU: the first time, or after a reboot of the guest. */
static void launch(BerthInstance *instance)
{
    instance->state = STARTING;
    instance->was_up = false;
    berth_port_notices_set_up(instance->port_notices, -1);
    instance->end_reason = END_UNKNOWN;
    instance->qemu_ended = false;
    instance->no_disk = false;
    g_clear_pointer(&instance->problem, g_free);
    berth_boot_report_free(instance->report);
    instance->report = berth_boot_report_new();
    assign(&instance->init, "");
    assign(&instance->init_status, "");
    berth_console_log(instance->console, "%s starts", instance->machine->name);

    g_autoptr(GError) error = NULL;
    if (!spawn_qemu(instance, &error)) {
        berth_instance_fail(instance, g_steal_pointer(&error));
        return;
    }
    berth_instance_set_timer(instance, instance->machine->boot_timeout_sec * 1000, on_boot_timeout);
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
                                                     .changed = on_ports_changed};

/* --- the public part -------------------------------------------------------------------------- */

BerthInstance *berth_instance_new(BerthMachine *machine, const char *dir, const char *support_dir,
                                  int listen_fd, BerthInstanceGoneFunc on_gone, gpointer user_data)
{
    BerthInstance *instance = g_new0(BerthInstance, 1);
    instance->machine = machine;
    instance->dir_fd = berth_runtime_files_open(dir);
    berth_instance_hold_boot_files(instance);
    instance->on_gone = on_gone;
    instance->user_data = user_data;
    instance->started_usec = berth_clock_boottime();
    assign(&instance->kernel, "");
    assign(&instance->init, "");
    assign(&instance->init_status, "");
    instance->console = berth_console_new(machine->log, machine->log_size);
    instance->report = berth_boot_report_new();
    instance->route = berth_host_route_new(BERTH_HOST_ROUTE_TABLE, on_host_route, instance);
    /* An isolated guest gets no names of the host. */
    instance->names = berth_host_names_new(machine->isolated ? NULL : machine->resolv_conf,
                                           machine->isolated ? NULL : BERTH_HOST_NAMES_HOSTS,
                                           on_host_names, instance);
    instance->port_notices = berth_port_notices_new(machine->name);
    instance->clock = berth_host_clock_new(BERTH_ZONE_LINK, on_host_clock, instance);
    instance->streams = berth_streams_new(&berth_instance_streams_ops, instance);
    instance->server =
        berth_server_new(listen_fd, instance->streams, &berth_instance_server_ops, instance);

    g_autoptr(GError) error = NULL;
    instance->sockets = berth_sockets_new(dir, instance->streams, log_line, instance, &error);
    if (instance->sockets != NULL)
        instance->network =
            berth_net_process_new(machine, dir, support_dir, &network_events, instance, &error);
    if (instance->network != NULL)
        launch(instance);
    else
        berth_instance_fail(instance, g_steal_pointer(&error));
    return instance;
}

void berth_instance_free(BerthInstance *instance)
{
    if (instance == NULL)
        return;
    berth_instance_clear_timer(&instance->timer);
    berth_instance_clear_timer(&instance->finisher);
    berth_server_free(instance->server);
    berth_sockets_free(instance->sockets);
    berth_streams_free(instance->streams);
    berth_net_process_free(instance->network);
    berth_agent_client_free(instance->agent);
    berth_qmp_free(instance->qmp);
    berth_qemu_free(instance->qemu);
    berth_pause_free(instance->pause);
    berth_console_free(instance->console);
    berth_host_clock_free(instance->clock);
    berth_host_names_free(instance->names);
    berth_host_route_free(instance->route);
    berth_boot_report_free(instance->report);
    berth_port_notices_free(instance->port_notices);
    g_clear_error(&instance->failure);
    berth_machine_free(instance->machine);
    berth_fd_close(&instance->kernel_fd);
    berth_fd_close(&instance->initramfs_fd);
    berth_fd_close(&instance->dir_fd);
    g_free(instance->kernel);
    g_free(instance->init);
    g_free(instance->init_status);
    g_free(instance->problem);
    g_free(instance);
}

void berth_instance_stop(BerthInstance *instance)
{
    berth_instance_server_ops.stop(BERTH_STOP_ORDERLY, instance->machine->stop_timeout_sec,
                                   instance);
}

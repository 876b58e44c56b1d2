/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/zone.h"
#include "model/share.h"

static void assign(char **member, const char *text)
{
    g_free(*member);
    *member = g_strdup(text);
}

/* --- what follows the host -------------------------------------------------------------------- */

/* Whether the guest can be told of the host's changes. One that sleeps is told all at the wake. */
static bool follows_host(const BerthInstance *instance)
{
    return instance->life.agent != NULL && *instance->life.init != '\0' &&
           !berth_instance_is_asleep(instance);
}

/* Needed only after the host's clock jumped: between jumps the guest's own clock is right. */
void berth_instance_send_clock(BerthInstance *instance)
{
    const char *zone = instance->machine->time_zone;
    if (follows_host(instance))
        berth_agent_client_set_clock(instance->life.agent, zone != NULL ? zone : "");
}

static void on_host_clock(gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_free(instance->machine->time_zone);
    instance->machine->time_zone = berth_zone_name(BERTH_ZONE_LINK);
    berth_instance_send_clock(instance);
}

static void on_host_route(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (follows_host(instance))
        berth_agent_client_set_route6(instance->life.agent,
                                      berth_host_route_has_default(instance->route));
}

/* Log and report that the last @count @things did not fit, once for each boot and @count. */
static void report_left_out(BerthInstance *instance, const char *things, guint count, guint *known,
                            gsize max)
{
    if (count > 0 && count != *known) {
        g_autofree char *text =
            g_strdup_printf("the last %u %s are not passed on: the names would take more than "
                            "%" G_GSIZE_FORMAT " KiB",
                            count, things, max / 1024);
        berth_console_log(instance->console, "%s", text);
        berth_boot_report_notice(instance->life.report, text);
    }
    *known = count;
}

static void send_names(BerthInstance *instance)
{
    BerthHostNamesLeftOut left_out = berth_host_names_left_out(instance->names);
    BerthHostNamesLeftOut *known = &instance->life.left_out;
    berth_agent_client_set_names(instance->life.agent, berth_host_names_search(instance->names),
                                 berth_host_names_hosts(instance->names));
    report_left_out(instance, "search domains of this host", left_out.domains, &known->domains,
                    WIRE_SEARCH_MAX);
    report_left_out(instance, "lines of this host's " BERTH_HOST_NAMES_HOSTS, left_out.lines,
                    &known->lines, WIRE_NAMES_MAX);
}

static void on_host_names(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (follows_host(instance))
        send_names(instance);
}

void berth_instance_update_guest(BerthInstance *instance)
{
    berth_instance_send_clock(instance);
    on_host_route(instance);
    on_host_names(instance);
}

void berth_instance_follow_host(BerthInstance *instance)
{
    const BerthMachine *machine = instance->machine;
    instance->route = berth_host_route_new(BERTH_HOST_ROUTE_TABLE, on_host_route, instance);
    /* An isolated guest gets no names of the host. */
    instance->names = berth_host_names_new(machine->isolated ? NULL : machine->resolv_conf,
                                           machine->isolated ? NULL : BERTH_HOST_NAMES_HOSTS,
                                           on_host_names, instance);
    instance->clock = berth_host_clock_new(BERTH_ZONE_LINK, on_host_clock, instance);
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
                    instance->life.problem != NULL ? ": " : "",
                    instance->life.problem != NULL ? instance->life.problem : "");
    berth_instance_clear_timer(&instance->timer);
    berth_instance_fail(instance, error);
    return G_SOURCE_REMOVE;
}

/* Add a problem that does not stop the start to the log and to the boot report. */
static void log_and_report(BerthInstance *instance, const char *text)
{
    const char *name = instance->machine->name;
    g_autofree char *with_places = g_strdup_printf(
        "%s: \"berth logs %s\" shows the console, \"berth console %s\" gives a shell", text, name,
        name);
    berth_console_log(instance->console, "%s", text);
    berth_boot_report_problem(instance->life.report, with_places);
}

static gboolean on_init_timeout(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (berth_instance_is_paused(instance))
        return G_SOURCE_CONTINUE;
    g_autofree char *text =
        g_strdup_printf("%s has not finished starting within %u s", instance->life.init,
                        instance->life.init_timeout_msec / 1000);
    log_and_report(instance, text);
    berth_instance_come_up(instance);
    return G_SOURCE_REMOVE;
}

static void on_hello(const char *kernel, gpointer user_data)
{
    BerthInstance *instance = user_data;
    assign(&instance->life.kernel, kernel);
}

static void on_stage(const char *name, guint64 boottime_usec, const char *problem,
                     gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_console_log(instance->console, "%8.3f s  %s%s%s", (double)boottime_usec / 1e6, name,
                      problem != NULL ? ": " : "", problem != NULL ? problem : "");
    berth_boot_report_guest(instance->life.report, name, boottime_usec, problem);
    if (problem == NULL)
        return;
    instance->life.no_disk = g_str_equal(name, "disk");
    g_free(instance->life.problem);
    instance->life.problem = g_strdup_printf("%s: %s", name, problem);
}

static void on_ready(const char *init, guint init_timeout_msec, gpointer user_data)
{
    BerthInstance *instance = user_data;
    assign(&instance->life.init, init);
    berth_instance_send_clock(instance);
    berth_instance_greeted(instance);
    if (instance->state != STARTING)
        return;
    berth_boot_report_mark(instance->life.report, "ready");
    instance->life.init_timeout_msec =
        init_timeout_msec != 0 ? init_timeout_msec : instance->machine->init_timeout_sec * 1000;
    berth_instance_set_timer(instance, instance->life.init_timeout_msec, on_init_timeout);
    berth_server_set_ready(instance->server);
}

static void on_note(const char *text, gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_console_log(instance->console, "%s", text);
    berth_boot_report_notice(instance->life.report, text);
}

static void on_booted(const char *status, gpointer user_data)
{
    BerthInstance *instance = user_data;
    assign(&instance->life.init_status, status);
    berth_console_log(instance->console, "%s: %s", instance->life.init, instance->life.init_status);
    if (instance->state == STARTING)
        berth_boot_report_mark(instance->life.report, "booted");
    if (g_str_equal(status, "maintenance"))
        log_and_report(instance, "the distro has come up in maintenance mode");
    instance->life.is_booted = true;
    if (instance->shares == NULL || !berth_share_process_is_starting(instance->shares))
        berth_instance_come_up(instance);
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

char **berth_instance_share_paths(const BerthInstance *instance)
{
    const char *root = instance->life.share_root;
    g_autoptr(GStrvBuilder) paths = g_strv_builder_new();
    for (char **text = instance->machine->shares; root != NULL && *text != NULL; text++) {
        g_autoptr(BerthShare) share = berth_share_from_text(*text);
        if (share == NULL)
            continue;
        bool whole = g_str_equal(share->target, "/");
        g_autofree char *target = g_strconcat(root, whole ? "" : share->target, NULL);
        g_strv_builder_add_many(paths, share->source, target, NULL);
    }
    return g_strv_builder_end(paths);
}

static void on_share(guint32 uid, guint32 gid, const char *root, gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (instance->shares == NULL || !instance->life.offers_shares)
        return;
    assign(&instance->life.share_root, root);
    berth_share_process_start(instance->shares, uid, gid);
    g_auto(GStrv) paths = berth_instance_share_paths(instance);
    berth_agent_client_set_shares(instance->life.agent, (const char *const *)paths);
}

static bool on_session(const WireFrame *frame, gpointer user_data)
{
    BerthInstance *instance = user_data;
    berth_instance_idle_frame(instance, frame);
    berth_streams_deliver(instance->streams, frame);
    return true;
}

/* The channel closed or the agent broke the protocol. The instance is of no use without it; QEMU
 * usually ends by itself. */
static void on_agent_lost(const GError *error, gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_clear_pointer(&instance->life.agent, berth_agent_client_free);
    berth_host_calls_reset(instance->calls);
    if (error != NULL && instance->takeover.active)
        berth_instance_lose_parked(instance, error);
    else if (error != NULL)
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
    .frozen = berth_instance_on_frozen,
    .reclaimed = berth_instance_on_reclaimed,
    .measured = berth_instance_on_measured,
    .due = berth_instance_on_due,
    .watched = berth_instance_on_watches,
    .share = on_share,
    .session = on_session,
    .lost = on_agent_lost,
};

/* --- begin and end ---------------------------------------------------------------------------- */

void berth_instance_begin_life(BerthInstance *instance)
{
    GuestLife *life = &instance->life;
    life->was_up = false;
    life->no_disk = false;
    life->is_booted = false;
    g_clear_pointer(&life->problem, g_free);
    g_clear_pointer(&life->share_root, g_free);
    berth_boot_report_free(life->report);
    life->report = berth_boot_report_new();
    assign(&life->init, "");
    assign(&life->init_status, "");
    berth_instance_due_forget(instance);
    berth_instance_use_forget(instance);
}

bool berth_instance_open_life(BerthInstance *instance, GError **error)
{
    return berth_guest_ends_open(&instance->life.ends, error);
}

void berth_instance_connect_agent(BerthInstance *instance)
{
    GuestLife *life = &instance->life;
    life->offers_shares = !instance->machine->isolated;
    life->agent = berth_agent_client_new(berth_fd_steal(&life->ends.agent), instance->machine,
                                         berth_host_route_has_default(instance->route),
                                         &agent_events, instance);
}

void berth_instance_boot_guest(BerthInstance *instance)
{
    berth_instance_connect_agent(instance);
    send_names(instance);
    if (instance->machine->swap > 0 && !instance->machine->rescue)
        berth_agent_client_set_swap(instance->life.agent, instance->machine->swap);
    berth_instance_set_timer(instance, instance->machine->boot_timeout_sec * 1000, on_boot_timeout);
}

static gboolean on_agent_timeout(gpointer user_data)
{
    BerthInstance *instance = user_data;
    if (berth_instance_is_paused(instance))
        return G_SOURCE_CONTINUE; /* restart the time limit */
    GError *error = NULL;
    g_autofree char *hint =
        g_strdup_printf("the next command starts %s again", instance->machine->name);
    berth_error_set(&error, BERTH_ERROR_GUEST, "instance.agent", hint,
                    "berth's agent in the guest was ended");
    berth_instance_clear_timer(&instance->timer);
    berth_instance_fail(instance, error);
    return G_SOURCE_REMOVE;
}

/* The guest closed the channel: a process killed the agent, or an init did at the end of a
 * shutdown. No session works without it. QEMU ends by itself, or is killed after AGENT_GRACE_SEC;
 * how it ends decides the error that sessions get and the log names: only then it is known whether
 * the end was orderly. */
void berth_instance_lose_agent(BerthInstance *instance)
{
    if (instance->life.agent == NULL)
        return;
    g_clear_pointer(&instance->life.agent, berth_agent_client_free);
    berth_host_calls_reset(instance->calls);
    berth_server_set_up(instance->server, false);
    berth_sockets_set_up(instance->sockets, false);
    if (instance->state != STOPPING)
        berth_instance_set_timer(instance, AGENT_GRACE_SEC * 1000, on_agent_timeout);
}

void berth_instance_end_life(BerthInstance *instance)
{
    if (instance->network != NULL)
        berth_net_process_update(instance->network, NULL);
    if (instance->shares != NULL)
        berth_share_process_stop(instance->shares);
    berth_sockets_set_up(instance->sockets, false);
    berth_sockets_reset(instance->sockets);
    berth_host_calls_reset(instance->calls);
    g_clear_pointer(&instance->life.agent, berth_agent_client_free);
    berth_guest_ends_clear(&instance->life.ends);
}

void berth_instance_clear_life(BerthInstance *instance)
{
    GuestLife *life = &instance->life;
    berth_agent_client_free(life->agent);
    berth_guest_ends_clear(&life->ends);
    berth_boot_report_free(life->report);
    g_free(life->kernel);
    g_free(life->init);
    g_free(life->init_status);
    g_free(life->problem);
    g_free(life->share_root);
}

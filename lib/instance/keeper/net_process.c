/* SPDX-License-Identifier: MIT */
#include "net_process.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/host/host_resolver.h"
#include "neighbours.h"
#include "net/client.h"
#include "net/port_policy.h"
#include "running.h"
#include "guest_access.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

/* Give berth-net up after ENDS_MAX ends within WINDOW_USEC. */
#define ENDS_MAX    5u
#define WINDOW_USEC (10 * G_USEC_PER_SEC)

struct BerthNetProcess {
    const BerthMachine *machine;
    char *program;
    int program_fd; /* berth-net's file as of the first start; or -1 */
    const BerthNetProcessEvents *events;
    gpointer user_data;
    int net_fd;                  /* berth-net's end of the frames */
    int guest_fd;                /* QEMU's */
    BerthNet *net;               /* net and ports are NULL once berth-net is given up */
    gint64 ended_usec[ENDS_MAX]; /* ring of the last ends, monotonic */
    guint ends;
    BerthPortPolicy *ports;
    BerthForwardPolicy *policy;
    GPtrArray *listeners; /* the guest's newest list; BerthListener* */
    BerthNeighbours *neighbours;
    bool watching;   /* for frames that wake the guest */
    guint closing;   /* legs whose close is in flight */
    GSource *update; /* queued while the list may differ from the last report */
    BerthGuestAccess *access;
    BerthHostResolver *resolver;
    BerthRunning *running;
    BerthInternalNames names; /* from running.h, for a restarted berth-net */
};

static void on_net_exit(BerthNet *net, gpointer user_data);

/* --- names --- */

static void on_resolvers(gpointer user_data)
{
    BerthNetProcess *network = user_data;
    if (network->net != NULL)
        berth_net_set_resolvers(network->net, berth_host_resolver_list(network->resolver));
}

static void on_distro(guint slot, const char *name, gpointer user_data)
{
    BerthNetProcess *network = user_data;
    if (berth_internal_names_set(&network->names, slot, name) && network->net != NULL)
        berth_net_set_name(network->net, slot, name);
}

static void send_names(BerthNetProcess *network)
{
    on_resolvers(network);
    for (guint i = 1; i <= BERTH_SLOT_MAX; i++)
        if (*network->names.distros[i] != '\0')
            berth_net_set_name(network->net, i, network->names.distros[i]);
}

/* --- updates of the list of forwards --- */

static gboolean on_update(gpointer user_data)
{
    BerthNetProcess *network = user_data;
    g_clear_pointer(&network->update, g_source_unref);
    g_autoptr(GPtrArray) forwards = berth_net_process_forwards(network);
    if (network->closing == 0) /* closed ports are really free */
        berth_neighbours_publish(network->neighbours, forwards);
    network->events->changed(forwards, network->user_data);
    return G_SOURCE_REMOVE;
}

/* Coalesces changes of one main loop iteration. */
static void queue_update(gpointer user_data)
{
    BerthNetProcess *network = user_data;
    if (network->update != NULL || network->ports == NULL)
        return;
    network->update = g_idle_source_new();
    g_source_set_priority(network->update, G_PRIORITY_DEFAULT);
    g_source_set_callback(network->update, on_update, network, NULL);
    g_source_attach(network->update, g_main_context_get_thread_default());
}

static void on_released(gpointer user_data)
{
    BerthNetProcess *network = user_data;
    if (network->ports == NULL || !berth_port_policy_retry(network->ports))
        berth_neighbours_unwatch(network->neighbours);
}

/* --- the process --- */

static void on_refused(guint16 port, gpointer user_data)
{
    BerthNetProcess *network = user_data;
    g_autofree char *line = berth_guest_access_refused_line(network->access, port);
    if (line != NULL)
        network->events->refused(line, network->user_data);
}

static const BerthNetEvents net_events = {on_net_exit, on_refused};

static void on_watched(int errnum, gint64 wait_usec, gpointer user_data)
{
    BerthNetProcess *network = user_data;
    if (network->watching && errnum == 0) /* else the next berth-net is requested to */
        network->events->watched(wait_usec, network->user_data);
}

static void on_wake(gpointer user_data)
{
    BerthNetProcess *network = user_data;
    if (network->watching)
        network->events->wake(network->user_data);
}

static void send_access(gpointer user_data)
{
    BerthNetProcess *network = user_data;
    if (network->net != NULL)
        berth_net_set_access(network->net, berth_guest_access_get(network->access));
}

static bool start(BerthNetProcess *network, GError **error)
{
    BerthNetSetup setup = {.mtu = network->machine->mtu,
                           .owner_only = network->machine->owner_only};
    berth_machine_prefix6(network->machine->id, setup.prefix6);
    network->net =
        berth_net_new(network->program, network->net_fd, &setup, &net_events, network, error);
    send_access(network);
    if (network->net != NULL)
        send_names(network);
    if (network->net != NULL && network->watching)
        berth_net_watch(network->net, on_watched, on_wake, network);
    return network->net != NULL;
}

/* Record an end of berth-net. True when there were too many. */
static bool count_end(BerthNetProcess *network)
{
    gint64 now = g_get_monotonic_time();
    gint64 *oldest = &network->ended_usec[network->ends++ % ENDS_MAX];
    bool often = network->ends > ENDS_MAX && now - *oldest < WINDOW_USEC;
    *oldest = now;
    return often;
}

/* Restart berth-net from the file of the first start: keeper and berth-net exchange structs of one
 * build (net/client.h), and an upgrade of berth may have replaced the file. */
static void use_held_program(BerthNetProcess *network)
{
    if (network->program_fd < 0)
        return;
    g_free(network->program);
    network->program = berth_fd_path(network->program_fd);
}

static void on_net_exit(BerthNet *net, gpointer user_data)
{
    BerthNetProcess *network = user_data;
    g_clear_pointer(&network->net, berth_net_free);
    use_held_program(network);

    g_autoptr(GError) error = NULL;
    if (count_end(network))
        berth_error_set(&error, BERTH_ERROR_FAILED, "net.ended", NULL,
                        "berth-net ended %u times in %u seconds", ENDS_MAX + 1,
                        (guint)(WINDOW_USEC / G_USEC_PER_SEC));
    if (error != NULL || !start(network, &error)) {
        g_clear_pointer(&network->ports, berth_port_policy_free); /* stops its retries */
        network->events->failed(error, network->user_data);
        return;
    }
    network->events->log("berth-net ended unexpectedly and was started again", network->user_data);
    berth_port_policy_reopen(network->ports);
}

static void add_leg(const BerthLeg *leg, BerthNetDone done, gpointer call, gpointer user_data)
{
    BerthNetProcess *network = user_data;
    berth_net_add(network->net, leg, done, call);
}

static void on_closed(int errnum, gpointer user_data)
{
    BerthNetProcess *network = user_data;
    network->closing--;
    queue_update(network);
}

static void remove_leg(const BerthLeg *leg, gpointer user_data)
{
    BerthNetProcess *network = user_data;
    network->closing++;
    berth_net_remove(network->net, leg, on_closed, network);
}

static char *find_distro(const BerthLeg *leg, gpointer user_data)
{
    BerthNetProcess *network = user_data;
    g_autofree char *name = berth_neighbours_find(network->neighbours, leg);
    return name != NULL ? g_strdup_printf("the distro %s", name) : NULL;
}

static void on_counters(int errnum, const BerthStackCounters *counters, gpointer user_data)
{
    BerthNetProcess *network = user_data;
    if (errnum == 0)
        network->events->counted(counters->active, counters->out.bytes, counters->bytes_in,
                                 network->user_data);
}

static const BerthPortPolicyOps ports_ops = {
    .add = add_leg, .remove = remove_leg, .find_distro = find_distro, .changed = queue_update};

static void follow(BerthNetProcess *network)
{
    if (network->ports != NULL)
        berth_port_policy_update(network->ports,
                                 berth_forward_plan(network->listeners, network->policy));
}

BerthNetProcess *berth_net_process_new(const BerthMachine *machine, const char *dir,
                                       const char *support_dir, const BerthNetProcessEvents *events,
                                       gpointer user_data, GError **error)
{
    int pair[2];
    if (berth_fd_socketpair(SOCK_DGRAM, pair) < 0) {
        berth_error_set_errno(error, errno, "instance.start", "socketpair");
        return NULL;
    }

    g_autoptr(BerthNetProcess) network = g_new0(BerthNetProcess, 1);
    network->machine = machine;
    network->program = g_build_filename(support_dir, "berth-net", NULL);
    network->program_fd = open(network->program, O_PATH | O_CLOEXEC);
    network->events = events;
    network->user_data = user_data;
    network->net_fd = pair[0];
    network->guest_fd = pair[1];
    network->ports = berth_port_policy_new(&ports_ops, network);
    network->neighbours = berth_neighbours_new(dir, on_released, network);
    network->policy = berth_machine_forward_policy(machine);
    network->listeners = g_ptr_array_new();
    network->resolver = berth_host_resolver_new(machine->resolv_conf, on_resolvers, network);
    network->access = berth_guest_access_new(machine, send_access, network, error);
    if (network->access == NULL || !start(network, error))
        return NULL;
    follow(network); /* forwards by a rule need no listener */
    if (berth_guest_access_get(network->access)->own_incomplete)
        events->log("this host has too many addresses to block each one: the distro reaches only "
                    "what \"outbound\" names",
                    user_data);
    if (berth_guest_access_get(network->access)->no_ping)
        events->log("ping reaches only this host: its net.ipv4.ping_group_range does not include "
                    "your group",
                    user_data);
    g_autofree char *runtime_dir = g_path_get_dirname(dir);
    network->running = berth_running_new(runtime_dir, on_distro, network);
    return g_steal_pointer(&network);
}

void berth_net_process_free(BerthNetProcess *network)
{
    if (network == NULL)
        return;
    g_clear_pointer(&network->ports, berth_port_policy_free);
    berth_running_free(network->running);
    berth_host_resolver_free(network->resolver);
    berth_net_free(network->net);
    if (network->update != NULL)
        g_source_destroy(network->update);
    g_clear_pointer(&network->update, g_source_unref);
    berth_neighbours_free(network->neighbours); /* after berth-net: its ports are free now */
    berth_forward_policy_free(network->policy);
    g_clear_pointer(&network->listeners, g_ptr_array_unref);
    berth_guest_access_free(network->access);
    berth_fd_close(&network->net_fd);
    berth_fd_close(&network->guest_fd);
    berth_fd_close(&network->program_fd);
    g_free(network->program);
    g_free(network);
}

int berth_net_process_guest_fd(const BerthNetProcess *network)
{
    return network->guest_fd;
}

BerthGuestAccess *berth_net_process_access(BerthNetProcess *network)
{
    return network->access;
}

void berth_net_process_watch(BerthNetProcess *network)
{
    network->watching = true;
    if (network->net != NULL)
        berth_net_watch(network->net, on_watched, on_wake, network);
}

void berth_net_process_unwatch(BerthNetProcess *network)
{
    network->watching = false;
}

void berth_net_process_count(BerthNetProcess *network)
{
    if (network->net != NULL)
        berth_net_get_counters(network->net, on_counters, network);
}

void berth_net_process_update(BerthNetProcess *network, GPtrArray *listeners)
{
    g_ptr_array_unref(network->listeners);
    network->listeners = listeners != NULL ? g_ptr_array_ref(listeners) : g_ptr_array_new();
    follow(network);
}

static guint find_rule(const GArray *rules, const BerthRule *rule)
{
    guint i = 0;
    while (i < rules->len && !berth_rule_equal(&g_array_index(rules, BerthRule, i), rule))
        i++;
    return i;
}

void berth_net_process_set_rule(BerthNetProcess *network, const BerthRule *rule, bool wanted)
{
    GArray *rules = network->policy->rules;
    guint index = find_rule(rules, rule);
    if (wanted && index == rules->len)
        g_array_append_val(rules, *rule);
    if (!wanted && index < rules->len)
        g_array_remove_index(rules, index);
    follow(network);
}

GPtrArray *berth_net_process_forwards(const BerthNetProcess *network)
{
    return network->ports != NULL ? berth_port_policy_list(network->ports) : g_ptr_array_new();
}

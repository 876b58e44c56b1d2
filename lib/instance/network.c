/* SPDX-License-Identifier: MIT */
#include "network.h"

#include "base/error.h"
#include "base/fd.h"
#include "net/control.h"
#include "net/ports.h"

#include <errno.h>
#include <sys/socket.h>

/* A berth-net that lives shorter than this is not started again. */
#define LIFE_MIN_USEC (G_GINT64_CONSTANT(1000) * 1000)

struct BerthNetwork {
    const BerthMachine *machine;
    char *program;
    const BerthNetworkEvents *events;
    gpointer user_data;
    int net_fd;          /* berth-net's end of the frames */
    int guest_fd;        /* QEMU's */
    BerthNet *net;       /* this and ports: NULL once it is given up */
    gint64 started_usec; /* of net, monotonic */
    BerthPorts *ports;
    BerthForwardPolicy *policy;
    GPtrArray *listeners; /* of the guest, newest; BerthListener* */
};

static void on_net_exit(BerthNet *net, gpointer user_data);

static bool start(BerthNetwork *network, GError **error)
{
    network->started_usec = g_get_monotonic_time();
    network->net = berth_net_new(network->program, network->net_fd, network->machine->mtu,
                                 on_net_exit, network, error);
    return network->net != NULL;
}

static void on_net_exit(BerthNet *net, gpointer user_data)
{
    BerthNetwork *network = user_data;
    bool lived = g_get_monotonic_time() - network->started_usec > LIFE_MIN_USEC;
    g_clear_pointer(&network->net, berth_net_free);

    g_autoptr(GError) error = NULL;
    if (!lived)
        berth_error_set(&error, BERTH_ERROR_FAILED, "net.ended", NULL,
                        "berth-net ended as soon as it was started");
    if (error != NULL || !start(network, &error)) {
        g_clear_pointer(&network->ports, berth_ports_free); /* or it would go on trying */
        network->events->failed(error, network->user_data);
        return;
    }
    network->events->note("berth-net ended unexpectedly; there is a new one", network->user_data);
    berth_ports_reopen(network->ports);
}

static void add_leg(const BerthLeg *leg, BerthNetDone done, gpointer call, gpointer user_data)
{
    BerthNetwork *network = user_data;
    berth_net_add(network->net, leg, done, call);
}

static void remove_leg(const BerthLeg *leg, gpointer user_data)
{
    BerthNetwork *network = user_data;
    berth_net_remove(network->net, leg, NULL, NULL);
}

static const BerthPortsOps ports_ops = {.add = add_leg, .remove = remove_leg};

static void follow(BerthNetwork *network)
{
    if (network->ports != NULL)
        berth_ports_update(network->ports, berth_forward_plan(network->listeners, network->policy));
}

BerthNetwork *berth_network_new(const BerthMachine *machine, const char *support_dir,
                                const BerthNetworkEvents *events, gpointer user_data,
                                GError **error)
{
    int pair[2];
    if (berth_fd_socketpair(SOCK_DGRAM, pair) < 0) {
        berth_error_set_errno(error, errno, "instance.start", "socketpair");
        return NULL;
    }

    g_autoptr(BerthNetwork) network = g_new0(BerthNetwork, 1);
    network->machine = machine;
    network->program = g_build_filename(support_dir, "berth-net", NULL);
    network->events = events;
    network->user_data = user_data;
    network->net_fd = pair[0];
    network->guest_fd = pair[1];
    network->ports = berth_ports_new(&ports_ops, network);
    network->policy = berth_machine_forward_policy(machine);
    network->listeners = g_ptr_array_new();
    if (!start(network, error))
        return NULL;
    follow(network); /* what was asked for needs nobody to listen */
    return g_steal_pointer(&network);
}

void berth_network_free(BerthNetwork *network)
{
    if (network == NULL)
        return;
    berth_ports_free(network->ports);
    berth_net_free(network->net);
    berth_forward_policy_free(network->policy);
    g_clear_pointer(&network->listeners, g_ptr_array_unref);
    berth_fd_close(&network->net_fd);
    berth_fd_close(&network->guest_fd);
    g_free(network->program);
    g_free(network);
}

int berth_network_guest_fd(const BerthNetwork *network)
{
    return network->guest_fd;
}

void berth_network_update(BerthNetwork *network, GPtrArray *listeners)
{
    g_ptr_array_unref(network->listeners);
    network->listeners = listeners != NULL ? g_ptr_array_ref(listeners) : g_ptr_array_new();
    follow(network);
}

GPtrArray *berth_network_forwards(const BerthNetwork *network)
{
    return network->ports != NULL ? berth_ports_list(network->ports) : g_ptr_array_new();
}

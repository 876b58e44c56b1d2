/* SPDX-License-Identifier: MIT */
#include "follow_host.h"

#include "distro/identity.h"
#include "distro/resolver.h"
#include "os/clock.h"
#include "os/config.h"
#include "os/interface.h"
#include "os/log.h"
#include "os/swap.h"
#include "share/berthpath.h"

#include <string.h>

static void follow_clock(const AgentOptions *options, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    uint64_t realtime_nsec = wire_get_u64(&reader);
    const char *zone = wire_get_string(&reader);
    if (!wire_reader_done(&reader) || !options->in_machine)
        return;
    clock_set(realtime_nsec);
    int result = options->follow_zone ? identity_set_zone(zone) : 0;
    if (result < 0)
        log_line("cannot set the time zone: %s", strerror(-result));
}

static void follow_names(const AgentOptions *options, const WireFrame *frame)
{
    char former[sizeof(options->config->search)] = "";
    if (options->config != NULL)
        memcpy(former, options->config->search, sizeof(former));
    if (options->config == NULL || !config_read_names(frame, options->config))
        return;
    int hosts = identity_hosts(options->root, options->config, options->settings);
    int resolver = resolver_update(options->root, options->config, options->settings);
    if (hosts < 0 || resolver < 0)
        log_line("cannot follow the host's names: %s", strerror(hosts < 0 ? -hosts : -resolver));
    else if (options->in_machine && options->settings->generate_resolv_conf &&
             strcmp(former, options->config->search) != 0)
        resolver_reload();
}

static void follow_route(const AgentOptions *options, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    const char *gateway6 = wire_get_string(&reader);
    if (wire_reader_done(&reader) && options->in_machine)
        network_route6(gateway6);
}

static void follow_swap(const AgentOptions *options, const WireFrame *frame)
{
    WireReader reader;
    const char *what = "";
    wire_reader_init(&reader, frame);
    uint64_t size = wire_get_u64(&reader);
    if (!wire_reader_done(&reader) || !options->in_machine)
        return;
    int result = swap_add(size, &what);
    if (result < 0)
        log_line("cannot add swap: %s: %s", what, strerror(-result));
}

static void follow_shares(const AgentOptions *options, const WireFrame *frame)
{
    int result = options->in_machine ? berthpath_set_shares(frame) : 0;
    if (result < 0)
        log_line("cannot keep the paths of the shares: %s", strerror(-result));
}

void follow_host(const AgentOptions *options, const WireFrame *frame)
{
    static const struct {
        WireType type;
        void (*follow)(const AgentOptions *options, const WireFrame *frame);
    } changes[] = {
        {WIRE_CLOCK, follow_clock}, {WIRE_NAMES, follow_names},   {WIRE_ROUTE, follow_route},
        {WIRE_SWAP, follow_swap},   {WIRE_SHARES, follow_shares},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
        if (changes[i].type == frame->type)
            changes[i].follow(options, frame);
}

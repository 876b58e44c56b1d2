/* SPDX-License-Identifier: MIT */
#include "agent_client.h"

#include "base/error.h"
#include "base/text.h"
#include "link.h"
#include "model/forward.h"

#include <arpa/inet.h>
#include <string.h>

/* The guest's fixed address on libslirp's network: lib/net/stack.c. */
#define GUEST_ADDRESS    "10.0.2.15/24"
#define GUEST_GATEWAY    "10.0.2.2"
#define GUEST_NAMESERVER "10.0.2.3"
#define GUEST_HOST6      0x15 /* appended to the instance's prefix */
#define GATEWAY_HOST6    0x02

/* Limits on what the guest reports: bytes, and the longest init timeout, that of the host's own
 * setting. */
#define NAME_MAX_SIZE    64u
#define LINE_MAX_SIZE    512u
#define TIMEOUT_MAX_MSEC 3600000u

struct BerthAgentClient {
    BerthLink *link;
    const BerthAgentClientEvents *events;
    gpointer user_data;
    guint8 prefix6[16];
    GError *mismatch; /* the guest speaks another version */
};

/* Free with g_free. */
static char *get_text(WireReader *reader, gsize max)
{
    return berth_text_clean(wire_get_string(reader), max);
}

static void set_mismatch(guint32 version, GError **error)
{
    berth_error_set(error, BERTH_ERROR_NOT_RUNNING, "instance.guest-version",
                    "try again; if that fails, install berth again: berth-keeper and "
                    "initramfs.cpio are of different versions",
                    "the guest's agent is %s than its keeper: it has version %u of their protocol, "
                    "the keeper has %u",
                    version < WIRE_VERSION ? "older" : "newer", version, WIRE_VERSION);
}

static void handle_hello(BerthAgentClient *agent, WireReader *reader)
{
    guint32 version = wire_get_u32(reader);
    if (!reader->failed && version != WIRE_VERSION) {
        g_clear_error(&agent->mismatch);
        set_mismatch(version, &agent->mismatch);
        reader->failed = true;
        return;
    }
    g_autofree char *kernel = get_text(reader, NAME_MAX_SIZE);
    if (wire_reader_done(reader))
        agent->events->hello(kernel, agent->user_data);
}

static void handle_stage(BerthAgentClient *agent, WireReader *reader)
{
    g_autofree char *name = get_text(reader, NAME_MAX_SIZE);
    guint64 usec = wire_get_u64(reader);
    g_autofree char *problem = get_text(reader, LINE_MAX_SIZE);
    if (wire_reader_done(reader))
        agent->events->stage(name, usec, *problem != '\0' ? problem : NULL, agent->user_data);
}

static void handle_ready(BerthAgentClient *agent, WireReader *reader)
{
    g_autofree char *init = get_text(reader, NAME_MAX_SIZE);
    guint32 timeout_msec = wire_get_u32(reader);
    if (wire_reader_done(reader))
        agent->events->ready(init, MIN(timeout_msec, TIMEOUT_MAX_MSEC), agent->user_data);
}

static void handle_note(BerthAgentClient *agent, WireReader *reader)
{
    g_autofree char *text = get_text(reader, LINE_MAX_SIZE);
    if (wire_reader_done(reader))
        agent->events->note(text, agent->user_data);
}

static void handle_booted(BerthAgentClient *agent, WireReader *reader)
{
    g_autofree char *status = get_text(reader, NAME_MAX_SIZE);
    if (wire_reader_done(reader))
        agent->events->booted(status, agent->user_data);
}

static void add_listener(GPtrArray *listeners, const WireListener *wire)
{
    BerthListener *listener = g_new0(BerthListener, 1);
    listener->family = wire->family;
    listener->protocol = wire->protocol;
    listener->port = wire->port;
    listener->relay = wire->relay;
    listener->problem = wire->problem;
    memcpy(listener->address, wire->address, sizeof(listener->address));
    listener->owner = berth_text_clean(wire->owner, NAME_MAX_SIZE);
    g_ptr_array_add(listeners, listener);
}

static void handle_listeners(BerthAgentClient *agent, WireReader *reader)
{
    g_autoptr(GPtrArray) listeners =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_listener_free);
    WireListener wire;
    guint32 count = wire_get_u32(reader);
    if (count > WIRE_LISTENERS_MAX)
        reader->failed = true;
    for (guint32 i = 0; i < count && wire_get_listener(reader, &wire); i++)
        add_listener(listeners, &wire);

    guint32 others = wire_get_u32(reader);
    if (others > WIRE_OTHERS_MAX)
        reader->failed = true;
    for (guint32 i = 0; i < others && !reader->failed; i++) {
        WireListener other = {.owner = ""};
        other.protocol = wire_get_u8(reader);
        other.port = wire_get_u16(reader);
        if (other.port == 0 || (other.protocol != IPPROTO_TCP && other.protocol != IPPROTO_UDP))
            reader->failed = true;
        add_listener(listeners, &other);
    }
    if (wire_reader_done(reader))
        agent->events->listeners(listeners, agent->user_data);
}

static void handle_grown(BerthAgentClient *agent, WireReader *reader)
{
    g_autofree char *problem = get_text(reader, LINE_MAX_SIZE);
    if (wire_reader_done(reader))
        agent->events->grown(*problem != '\0' ? problem : NULL, agent->user_data);
}

static void handle_frozen(BerthAgentClient *agent, WireReader *reader)
{
    g_autofree char *problem = get_text(reader, LINE_MAX_SIZE);
    if (wire_reader_done(reader))
        agent->events->frozen(*problem != '\0' ? problem : NULL, agent->user_data);
}

static void handle_reclaimed(BerthAgentClient *agent, WireReader *reader)
{
    guint8 busy = wire_get_u8(reader);
    guint64 taken = wire_get_u64(reader);
    guint64 refaulted = wire_get_u64(reader);
    if (wire_reader_done(reader))
        agent->events->reclaimed(busy != 0, taken, refaulted, agent->user_data);
}

static void handle_measured(BerthAgentClient *agent, WireReader *reader)
{
    guint64 memory = wire_get_u64(reader);
    guint64 available = wire_get_u64(reader);
    guint64 disk = wire_get_u64(reader);
    guint64 disk_used = wire_get_u64(reader);
    if (wire_reader_done(reader))
        agent->events->measured(memory, available, disk, disk_used, agent->user_data);
}

static void handle_due(BerthAgentClient *agent, WireReader *reader)
{
    guint64 at_sec = wire_get_u64(reader);
    guint32 lead_sec = wire_get_u32(reader);
    guint32 hold_sec = wire_get_u32(reader);
    g_autofree char *name = get_text(reader, LINE_MAX_SIZE);
    if (wire_reader_done(reader))
        agent->events->due(at_sec, lead_sec, hold_sec, name, agent->user_data);
}

static void handle_watched(BerthAgentClient *agent, WireReader *reader)
{
    guint32 n = wire_get_u32(reader);
    if (n > WIRE_WATCHED_MAX)
        return;
    g_autofree WireWatch *watches = g_new0(WireWatch, n);
    for (guint32 i = 0; i < n; i++) {
        watches[i].node = wire_get_u64(reader);
        watches[i].mask = wire_get_u32(reader);
    }
    if (wire_reader_done(reader))
        agent->events->watched(watches, n, agent->user_data);
}

static void handle_share(BerthAgentClient *agent, WireReader *reader)
{
    guint32 uid = wire_get_u32(reader);
    guint32 gid = wire_get_u32(reader);
    g_autofree char *root = get_text(reader, LINE_MAX_SIZE);
    if (wire_reader_done(reader))
        agent->events->share(uid, gid, root, agent->user_data);
}

static const struct {
    WireType type;
    void (*handle)(BerthAgentClient *agent, WireReader *reader);
} handlers[] = {
    {WIRE_HELLO, handle_hello},         {WIRE_STAGE, handle_stage},
    {WIRE_READY, handle_ready},         {WIRE_BOOTED, handle_booted},
    {WIRE_LISTENERS, handle_listeners}, {WIRE_GROWN, handle_grown},
    {WIRE_NOTE, handle_note},           {WIRE_SHARE, handle_share},
    {WIRE_FROZEN, handle_frozen},       {WIRE_RECLAIMED, handle_reclaimed},
    {WIRE_MEASURED, handle_measured},   {WIRE_DUE, handle_due},
    {WIRE_WATCHED, handle_watched},
};

static bool on_frame(BerthLink *link, const WireFrame *frame, gpointer user_data)
{
    BerthAgentClient *agent = user_data;
    if (frame->stream != 0)
        return agent->events->session(frame, agent->user_data);

    for (gsize i = 0; i < G_N_ELEMENTS(handlers); i++) {
        if (handlers[i].type != frame->type)
            continue;
        WireReader reader;
        wire_reader_init(&reader, frame);
        handlers[i].handle(agent, &reader);
        return wire_reader_done(&reader);
    }
    return true; /* ignore frame types of a newer guest */
}

static void on_closed(BerthLink *link, const GError *error, gpointer user_data)
{
    BerthAgentClient *agent = user_data;
    g_autoptr(GError) mismatch = g_steal_pointer(&agent->mismatch);
    agent->events->lost(mismatch != NULL ? mismatch : error, agent->user_data);
}

/* Free with g_free. */
static char *address6(const BerthAgentClient *agent, guint8 host)
{
    guint8 address[16];
    char text[INET6_ADDRSTRLEN];
    memcpy(address, agent->prefix6, sizeof(address));
    address[15] = host;
    return g_strdup(inet_ntop(AF_INET6, address, text, sizeof(text)));
}

static void send_config(BerthAgentClient *agent, const BerthMachine *machine, bool route6)
{
    WireBuffer *output = berth_link_output(agent->link);
    g_autofree char *guest6 = address6(agent, GUEST_HOST6);
    g_autofree char *with_bits = g_strconcat(guest6, "/64", NULL);
    g_autofree char *gateway6 = address6(agent, GATEWAY_HOST6);
    size_t begin = wire_frame_begin(output, WIRE_CONFIG, 0, 0);
    wire_put_u32(output, WIRE_VERSION);
    wire_put_string(output, machine->hostname);
    wire_put_string(output, machine->user);
    wire_put_string(output, GUEST_ADDRESS);
    wire_put_string(output, GUEST_GATEWAY);
    wire_put_string(output, GUEST_NAMESERVER);
    wire_put_u32(output, machine->mtu);
    wire_put_u64(output, (guint64)g_get_real_time() * 1000);
    wire_put_string(output, machine->time_zone);
    wire_put_string(output, machine->identity);
    wire_put_u32(output, (machine->rescue ? WIRE_CONFIG_RESCUE : 0) |
                             (machine->oobe ? WIRE_CONFIG_OOBE : 0) |
                             (machine->isolated ? 0 : WIRE_CONFIG_SHARES));
    wire_put_string(output, machine->account);
    wire_put_u32(output, machine->account_uid);
    wire_put_string(output, with_bits);
    wire_put_string(output, route6 ? gateway6 : "");
    wire_frame_end(output, begin);
    berth_link_flush(agent->link);
}

BerthAgentClient *berth_agent_client_new(int fd, const BerthMachine *machine, bool route6,
                                         const BerthAgentClientEvents *events, gpointer user_data)
{
    BerthAgentClient *agent = g_new0(BerthAgentClient, 1);
    berth_machine_prefix6(machine->id != NULL ? machine->id : "", agent->prefix6);
    agent->events = events;
    agent->user_data = user_data;
    agent->link = berth_link_new(fd, on_frame, on_closed, agent);
    send_config(agent, machine, route6);
    return agent;
}

void berth_agent_client_free(BerthAgentClient *agent)
{
    if (agent == NULL)
        return;
    berth_link_free(agent->link);
    g_clear_error(&agent->mismatch);
    g_free(agent);
}

void berth_agent_client_power(BerthAgentClient *agent, WirePower action)
{
    guint8 value = (guint8)action;
    wire_frame_put(berth_link_output(agent->link), WIRE_POWER, 0, 0, &value, 1);
    berth_link_flush(agent->link);
}

void berth_agent_client_reclaim(BerthAgentClient *agent, bool urgent)
{
    guint8 value = urgent;
    wire_frame_put(berth_link_output(agent->link), WIRE_RECLAIM, 0, 0, &value, 1);
    berth_link_flush(agent->link);
}

void berth_agent_client_measure(BerthAgentClient *agent)
{
    wire_frame_put(berth_link_output(agent->link), WIRE_MEASURE, 0, 0, NULL, 0);
    berth_link_flush(agent->link);
}

void berth_agent_client_set_swap(BerthAgentClient *agent, guint64 size)
{
    WireBuffer *output = berth_link_output(agent->link);
    size_t begin = wire_frame_begin(output, WIRE_SWAP, 0, 0);
    wire_put_u64(output, size);
    wire_frame_end(output, begin);
    berth_link_flush(agent->link);
}

void berth_agent_client_grow(BerthAgentClient *agent, guint64 size)
{
    WireBuffer *output = berth_link_output(agent->link);
    size_t begin = wire_frame_begin(output, WIRE_GROW, 0, 0);
    wire_put_u64(output, size);
    wire_frame_end(output, begin);
    berth_link_flush(agent->link);
}

void berth_agent_client_set_shares(BerthAgentClient *agent, const char *const *paths)
{
    WireBuffer *output = berth_link_output(agent->link);
    size_t begin = wire_frame_begin(output, WIRE_SHARES, 0, 0);
    wire_put_list(output, paths);
    wire_frame_end(output, begin);
    berth_link_flush(agent->link);
}

void berth_agent_client_unshare(BerthAgentClient *agent)
{
    berth_agent_client_send_empty(agent, WIRE_UNSHARE, 0);
}

void berth_agent_client_freeze(BerthAgentClient *agent)
{
    berth_agent_client_send_empty(agent, WIRE_FREEZE, 0);
    berth_link_hold(agent->link);
}

void berth_agent_client_go_on(BerthAgentClient *agent)
{
    berth_link_release(agent->link);
}

void berth_agent_client_release(BerthAgentClient *agent)
{
    berth_agent_client_send_empty(agent, WIRE_RELEASE, 0);
}

void berth_agent_client_thaw(BerthAgentClient *agent)
{
    berth_agent_client_send_empty(agent, WIRE_THAW, 0);
}

void berth_agent_client_set_clock(BerthAgentClient *agent, const char *zone)
{
    WireBuffer *output = berth_link_output(agent->link);
    size_t begin = wire_frame_begin(output, WIRE_CLOCK, 0, 0);
    wire_put_u64(output, (guint64)g_get_real_time() * 1000);
    wire_put_string(output, zone);
    wire_frame_end(output, begin);
    berth_link_flush(agent->link);
}

void berth_agent_client_set_route6(BerthAgentClient *agent, bool route6)
{
    g_autofree char *gateway6 = address6(agent, GATEWAY_HOST6);
    WireBuffer *output = berth_link_output(agent->link);
    size_t begin = wire_frame_begin(output, WIRE_ROUTE, 0, 0);
    wire_put_string(output, route6 ? gateway6 : "");
    wire_frame_end(output, begin);
    berth_link_flush(agent->link);
}

void berth_agent_client_set_names(BerthAgentClient *agent, const char *search, const char *hosts)
{
    WireBuffer *output = berth_link_output(agent->link);
    size_t begin = wire_frame_begin(output, WIRE_NAMES, 0, 0);
    wire_put_string(output, search);
    wire_put_string(output, hosts);
    wire_frame_end(output, begin);
    berth_link_flush(agent->link);
}

void berth_agent_client_send(BerthAgentClient *agent, const WireFrame *frame, guint32 stream)
{
    berth_link_forward(agent->link, frame, stream);
}

void berth_agent_client_send_empty(BerthAgentClient *agent, WireType type, guint32 stream)
{
    wire_frame_put(berth_link_output(agent->link), type, 0, stream, NULL, 0);
    berth_link_flush(agent->link);
}

WireBuffer *berth_agent_client_output(BerthAgentClient *agent)
{
    return berth_link_output(agent->link);
}

void berth_agent_client_flush(BerthAgentClient *agent)
{
    berth_link_flush(agent->link);
}

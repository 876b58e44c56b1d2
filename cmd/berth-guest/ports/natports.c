/* SPDX-License-Identifier: MIT */
#include "natports.h"

#include "os/interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHAINS_STEP 16
#define PORTS       65536u

/* The ports of TCP, then those of UDP; a bit each. */
typedef struct {
    uint8_t bits[2 * PORTS / 8];
} PortSet;

/* A base chain: one with a hook. */
typedef struct {
    uint8_t family;
    bool is_nat_prerouting; /* type nat, hook prerouting */
    char table[NFT_NAME_MAXLEN];
    char name[NFT_NAME_MAXLEN];
} Chain;

struct NatPorts {
    Loop *loop;
    Source events;
    Netlink requests; /* events have a socket of their own */
    bool stale;       /* the rules have changed since the last dump */
    PortSet ports;
    size_t ports_left_out; /* of the last merge */
    Chain *chains;         /* chain_room allocated */
    size_t chain_count;
    size_t chain_room;
    size_t chains_left_out;
    void (*changed)(void *data);
    void *data;
};

/* ---- attributes ---- */

typedef NetlinkAttributes Attributes;

static uint32_t be32(const Attributes *at)
{
    uint32_t value = 0;
    if (at->size >= sizeof(value))
        memcpy(&value, at->value, sizeof(value));
    return ntohl(value);
}

static void copy_name(char *to, const Attributes *at)
{
    size_t size = at->size < NFT_NAME_MAXLEN ? at->size : NFT_NAME_MAXLEN - 1;
    memcpy(to, at->value, size);
    to[size] = '\0';
}

static bool is_text(const Attributes *at, const char *text)
{
    return at->size == strlen(text) + 1 && memcmp(at->value, text, at->size) == 0;
}

/* ---- one rule ---- */

/* The field that the last expression loaded into a register. */
typedef enum { LOAD_OTHER, LOAD_PROTOCOL, LOAD_PORT, LOAD_DESTINATION, LOAD_DEVICE } Load;

typedef struct {
    Load load;
    uint8_t protocol;
    uint16_t port;
    bool has_dnat;  /* the target is DNAT or redirect */
    bool elsewhere; /* it cannot match packets that arrive on eth0 for its address */
} Rule;

static void handle_payload(Rule *rule, Attributes data)
{
    static const struct {
        uint32_t base, offset, size;
        Load load;
    } fields[] = {
        {NFT_PAYLOAD_NETWORK_HEADER, 9, 1, LOAD_PROTOCOL}, /* IPv4 */
        {NFT_PAYLOAD_NETWORK_HEADER, 16, 4, LOAD_DESTINATION},
        {NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, LOAD_PORT},
    };
    uint32_t base = ~0u, offset = ~0u, size = 0;
    while (netlink_attribute(&data)) {
        if (data.type == NFTA_PAYLOAD_BASE)
            base = be32(&data);
        else if (data.type == NFTA_PAYLOAD_OFFSET)
            offset = be32(&data);
        else if (data.type == NFTA_PAYLOAD_LEN)
            size = be32(&data);
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (fields[i].base == base && fields[i].offset == offset && fields[i].size == size)
            rule->load = fields[i].load;
}

static void handle_meta(Rule *rule, Attributes data)
{
    while (netlink_attribute(&data)) {
        if (data.type == NFTA_META_KEY && be32(&data) == NFT_META_L4PROTO)
            rule->load = LOAD_PROTOCOL;
        else if (data.type == NFTA_META_KEY && be32(&data) == NFT_META_IIFNAME)
            rule->load = LOAD_DEVICE;
    }
}

static void compare(Rule *rule, Load load, const uint8_t *value, size_t size)
{
    static const uint8_t own[4] = NETWORK_ADDRESS;
    if (load == LOAD_PROTOCOL && size >= 1)
        rule->protocol = value[0];
    else if (load == LOAD_PORT && size >= 2)
        rule->port = (uint16_t)(value[0] << 8 | value[1]);
    else if (load == LOAD_DESTINATION && size >= 4)
        rule->elsewhere = rule->elsewhere || memcmp(value, own, 4) != 0;
    else if (load == LOAD_DEVICE && size >= 4)
        rule->elsewhere = rule->elsewhere || memcmp(value, NETWORK_DEVICE, 4) != 0;
}

static void handle_compare(Rule *rule, Load load, Attributes data)
{
    bool equal = true;
    while (netlink_attribute(&data)) {
        if (data.type == NFTA_CMP_OP)
            equal = be32(&data) == NFT_CMP_EQ;
        if (data.type != NFTA_CMP_DATA || !equal)
            continue;
        Attributes inner = netlink_attributes(data.value, data.size);
        if (netlink_attribute(&inner) && inner.type == NFTA_DATA_VALUE)
            compare(rule, load, inner.value, inner.size);
    }
}

/* iptables' match on TCP or UDP ports. Source: linux/netfilter/xt_tcpudp.h: struct xt_tcp and
 * xt_udp have the same first eight bytes. */
static void handle_match(Rule *rule, Attributes data)
{
    bool known = false;
    uint16_t ports[4];
    while (netlink_attribute(&data)) {
        if (data.type == NFTA_MATCH_NAME)
            known = is_text(&data, "tcp") || is_text(&data, "udp");
        if (data.type != NFTA_MATCH_INFO || !known || data.size < sizeof(ports))
            continue;
        memcpy(ports, data.value, sizeof(ports));
        if (ports[2] == ports[3])
            rule->port = ports[2];
    }
}

static void handle_target(Rule *rule, Attributes data)
{
    while (netlink_attribute(&data))
        if (data.type == NFTA_TARGET_NAME)
            rule->has_dnat = is_text(&data, "DNAT") || is_text(&data, "REDIRECT");
}

static void handle_nat(Rule *rule, Attributes data)
{
    while (netlink_attribute(&data))
        if (data.type == NFTA_NAT_TYPE)
            rule->has_dnat = be32(&data) == NFT_NAT_DNAT;
}

static void handle_expression(Rule *rule, Attributes expression)
{
    Attributes name = {0};
    Attributes data = {0};
    while (netlink_attribute(&expression)) {
        if (expression.type == NFTA_EXPR_NAME)
            name = expression;
        else if (expression.type == NFTA_EXPR_DATA)
            data = netlink_attributes(expression.value, expression.size);
    }
    Load before = rule->load;
    rule->load = LOAD_OTHER;
    if (is_text(&name, "payload"))
        handle_payload(rule, data);
    else if (is_text(&name, "meta"))
        handle_meta(rule, data);
    else if (is_text(&name, "cmp"))
        handle_compare(rule, before, data);
    else if (is_text(&name, "match"))
        handle_match(rule, data);
    else if (is_text(&name, "target"))
        handle_target(rule, data);
    else if (is_text(&name, "nat"))
        handle_nat(rule, data);
    else if (is_text(&name, "redir"))
        rule->has_dnat = true;
}

/* ---- parsing a dump ---- */

static size_t position(uint8_t protocol, uint16_t port)
{
    return (protocol == IPPROTO_UDP ? PORTS : 0) + port;
}

static bool has_port(const PortSet *set, uint8_t protocol, uint16_t port)
{
    size_t at = position(protocol, port);
    return (set->bits[at / 8] >> at % 8 & 1) != 0;
}

static void add_port(NatPorts *ports, const Rule *rule)
{
    size_t at = position(rule->protocol, rule->port);
    if (rule->has_dnat && !rule->elsewhere && rule->port != 0 &&
        (rule->protocol == IPPROTO_TCP || rule->protocol == IPPROTO_UDP))
        ports->ports.bits[at / 8] |= (uint8_t)(1 << at % 8);
}

static bool is_at_prerouting(Attributes hook)
{
    while (netlink_attribute(&hook))
        if (hook.type == NFTA_HOOK_HOOKNUM)
            return be32(&hook) == NF_INET_PRE_ROUTING;
    return false;
}

static void add_chain(NatPorts *ports, const Chain *chain)
{
    if (ports->chain_count == ports->chain_room && ports->chain_room < NATPORTS_CHAINS_MAX) {
        size_t room = ports->chain_room + CHAINS_STEP;
        Chain *chains = reallocarray(ports->chains, room, sizeof(*chains));
        if (chains != NULL) {
            ports->chains = chains;
            ports->chain_room = room;
        }
    }
    if (ports->chain_count < ports->chain_room)
        ports->chains[ports->chain_count++] = *chain;
    else
        ports->chains_left_out += chain->is_nat_prerouting;
}

static void handle_chain(NatPorts *ports, uint8_t family, Attributes fields)
{
    Chain chain = {.family = family};
    bool has_hook = false;
    bool at_prerouting = false;
    bool is_nat = false;
    while (netlink_attribute(&fields)) {
        if (fields.type == NFTA_CHAIN_TABLE)
            copy_name(chain.table, &fields);
        else if (fields.type == NFTA_CHAIN_NAME)
            copy_name(chain.name, &fields);
        else if (fields.type == NFTA_CHAIN_TYPE)
            is_nat = is_text(&fields, "nat");
        else if (fields.type == NFTA_CHAIN_HOOK) {
            has_hook = true;
            at_prerouting = is_at_prerouting(netlink_attributes(fields.value, fields.size));
        }
    }
    chain.is_nat_prerouting = is_nat && at_prerouting;
    if (has_hook)
        add_chain(ports, &chain);
}

/* Whether a rule may see packets from eth0: its table has a base chain at prerouting, and the
 * rule's chain is that one or not a base chain, so that the base chain may jump to it. */
static bool is_reached(const NatPorts *ports, uint8_t family, const char *table, const char *name)
{
    bool reached = false;
    for (size_t i = 0; i < ports->chain_count; i++) {
        const Chain *chain = &ports->chains[i];
        if (chain->family != family || strcmp(chain->table, table) != 0)
            continue;
        if (strcmp(chain->name, name) == 0)
            return chain->is_nat_prerouting;
        reached = reached || chain->is_nat_prerouting;
    }
    return reached;
}

static void handle_rule(NatPorts *ports, uint8_t family, Attributes fields)
{
    Rule rule = {0};
    char table[NFT_NAME_MAXLEN] = "";
    char chain[NFT_NAME_MAXLEN] = "";
    while (netlink_attribute(&fields)) {
        if (fields.type == NFTA_RULE_TABLE)
            copy_name(table, &fields);
        else if (fields.type == NFTA_RULE_CHAIN)
            copy_name(chain, &fields);
        if (fields.type != NFTA_RULE_EXPRESSIONS)
            continue;
        Attributes list = netlink_attributes(fields.value, fields.size);
        while (netlink_attribute(&list))
            handle_expression(&rule, netlink_attributes(list.value, list.size));
    }
    if (is_reached(ports, family, table, chain))
        add_port(ports, &rule);
}

/* ---- dumps ---- */

static void reset_chains(void *data)
{
    NatPorts *ports = data;
    ports->chain_count = 0;
    ports->chains_left_out = 0;
}

static void reset_ports(void *data)
{
    NatPorts *ports = data;
    ports->ports = (PortSet){0};
}

static void on_chain(void *data, const struct nlmsghdr *header)
{
    const struct nfgenmsg *message = NLMSG_DATA(header);
    if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(*message)))
        handle_chain(data, message->nfgen_family,
                     netlink_message_attributes(header, sizeof(*message)));
}

static void on_rule(void *data, const struct nlmsghdr *header)
{
    const struct nfgenmsg *message = NLMSG_DATA(header);
    if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(*message)))
        handle_rule(data, message->nfgen_family,
                    netlink_message_attributes(header, sizeof(*message)));
}

static const NetlinkDump chains_dump = {reset_chains, on_chain};
static const NetlinkDump rules_dump = {reset_ports, on_rule};

static int dump(NatPorts *ports, unsigned type, const NetlinkDump *dump)
{
    struct {
        struct nlmsghdr header;
        struct nfgenmsg message;
    } request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type)},
        .message = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0},
    };
    return netlink_dump(&ports->requests, &request.header, dump, ports);
}

static int dump_rules(NatPorts *ports)
{
    int result = dump(ports, NFT_MSG_GETCHAIN, &chains_dump);
    bool any = false;
    for (size_t i = 0; i < ports->chain_count; i++)
        any = any || ports->chains[i].is_nat_prerouting;
    if (result == 0 && any)
        return dump(ports, NFT_MSG_GETRULE, &rules_dump);
    reset_ports(ports);
    return result;
}

/* Dump the rules. If they change during each attempt, keep the old ports until the next call. A
 * kernel without nftables has no ports. */
static void refresh(NatPorts *ports)
{
    PortSet former = ports->ports;
    ports->stale = dump_rules(ports) == -EINTR;
    if (ports->stale)
        ports->ports = former;
}

static bool is_reserved(const NatPorts *ports, const WireListener *listener)
{
    static const uint8_t any[16];
    return listener->family == 6 && memcmp(listener->address, any, sizeof(any)) == 0 &&
           has_port(&ports->ports, listener->protocol, listener->port);
}

/* Append the ports of one byte of the set. Returns the new count. */
static size_t append_byte(NatPorts *ports, size_t byte, ListeningSocket *sockets, size_t count,
                          size_t max)
{
    for (size_t at = 8 * byte; at < 8 * byte + 8; at++) {
        uint8_t protocol = at < PORTS ? IPPROTO_TCP : IPPROTO_UDP;
        uint16_t port = (uint16_t)(at % PORTS);
        if (!has_port(&ports->ports, protocol, port))
            continue;
        if (count == max)
            ports->ports_left_out++;
        else
            sockets[count++] = (ListeningSocket){
                .listener = {
                    .family = 4, .protocol = protocol, .port = port, .address = NETWORK_ADDRESS}};
    }
    return count;
}

size_t natports_merge(NatPorts *ports, ListeningSocket *sockets, size_t count, size_t max)
{
    if (ports->stale)
        refresh(ports);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_reserved(ports, &sockets[i].listener))
            sockets[kept++] = sockets[i];
    ports->ports_left_out = 0;
    for (size_t byte = 0; byte < sizeof(ports->ports.bits); byte++)
        if (ports->ports.bits[byte] != 0)
            kept = append_byte(ports, byte, sockets, kept, max);
    return kept;
}

size_t natports_left_out(const NatPorts *ports)
{
    return ports->ports_left_out;
}

size_t natports_chains_left_out(const NatPorts *ports)
{
    return ports->chains_left_out;
}

/* ---- events ---- */

static void on_event(Source *source, uint32_t events)
{
    NatPorts *ports = container_of(source, NatPorts, events);
    netlink_drain(source->fd);
    ports->stale = true;
    ports->changed(ports->data);
}

NatPorts *natports_new(Loop *loop, const NatPortsSockets *sockets, void (*changed)(void *data),
                       void *data)
{
    NatPorts *ports = calloc(1, sizeof(*ports));
    if (ports == NULL) {
        close(sockets->requests.fd);
        close(sockets->events);
        return NULL;
    }
    ports->loop = loop;
    ports->requests = sockets->requests;
    ports->stale = true;
    ports->changed = changed;
    ports->data = data;
    loop_add(loop, &ports->events, sockets->events, EPOLLIN, on_event);
    return ports;
}

bool natports_open(NatPortsSockets *ret_sockets)
{
    Netlink events;
    if (netlink_open(&ret_sockets->requests, NETLINK_NETFILTER, 0) < 0)
        return false;
    if (netlink_open(&events, NETLINK_NETFILTER, 1u << (NFNLGRP_NFTABLES - 1)) < 0) {
        close(ret_sockets->requests.fd);
        return false;
    }
    ret_sockets->events = events.fd;
    return true;
}

void natports_free(NatPorts *ports)
{
    if (ports == NULL)
        return;
    loop_close(ports->loop, &ports->events);
    close(ports->requests.fd);
    free(ports->chains);
    free(ports);
}

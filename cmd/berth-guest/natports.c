/* SPDX-License-Identifier: MIT */
#include "natports.h"

#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORTS_MAX  256
#define CHAINS_MAX 64
#define NAME_MAX_  64 /* of tables and chains that are told apart */

typedef struct {
    uint8_t protocol;
    uint16_t port;
} NatPort;

/* A chain that a hook leads to. */
typedef struct {
    uint8_t family;
    bool counts; /* of type nat, at prerouting */
    char table[NAME_MAX_];
    char name[NAME_MAX_];
} Chain;

struct NatPorts {
    Loop *loop;
    Source events;
    int dump;   /* for questions; the events come on their own */
    bool stale; /* what is below is of older rules */
    NatPort ports[PORTS_MAX];
    size_t count;
    Chain chains[CHAINS_MAX];
    size_t chain_count;
    void (*changed)(void *data);
    void *data;
};

/* ---- attributes ---- */

typedef struct {
    const uint8_t *next;
    size_t left;
    uint16_t type;
    const uint8_t *value;
    size_t size;
} Attributes;

static Attributes attributes(const void *bytes, size_t size)
{
    return (Attributes){.next = bytes, .left = size};
}

static bool attribute(Attributes *in)
{
    struct nlattr header;
    if (in->left < sizeof(header))
        return false;
    memcpy(&header, in->next, sizeof(header));
    if (header.nla_len < NLA_HDRLEN || header.nla_len > in->left)
        return false;
    in->type = header.nla_type & NLA_TYPE_MASK;
    in->value = in->next + NLA_HDRLEN;
    in->size = header.nla_len - NLA_HDRLEN;
    size_t step = NLA_ALIGN(header.nla_len);
    in->next += step < in->left ? step : in->left;
    in->left -= step < in->left ? step : in->left;
    return true;
}

static uint32_t be32(const Attributes *at)
{
    uint32_t value = 0;
    if (at->size >= sizeof(value))
        memcpy(&value, at->value, sizeof(value));
    return ntohl(value);
}

static void copy_name(char *to, const Attributes *at)
{
    size_t size = at->size < NAME_MAX_ ? at->size : NAME_MAX_ - 1;
    memcpy(to, at->value, size);
    to[size] = '\0';
}

static bool is_text(const Attributes *at, const char *text)
{
    return at->size == strlen(text) + 1 && memcmp(at->value, text, at->size) == 0;
}

/* ---- one rule ---- */

/* What the last expression has put into a register, as far as it matters. */
typedef enum { LOAD_OTHER, LOAD_PROTOCOL, LOAD_PORT, LOAD_DESTINATION, LOAD_DEVICE } Load;

typedef struct {
    Load load;
    uint8_t protocol;
    uint16_t port;
    bool hands_on;  /* it has a DNAT */
    bool elsewhere; /* it is not for what arrives on eth0 */
} Rule;

static void take_payload(Rule *rule, Attributes data)
{
    static const struct {
        uint32_t base, offset, size;
        Load load;
    } fields[] = {
        {NFT_PAYLOAD_NETWORK_HEADER, 9, 1, LOAD_PROTOCOL}, /* of IPv4 */
        {NFT_PAYLOAD_NETWORK_HEADER, 16, 4, LOAD_DESTINATION},
        {NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, LOAD_PORT},
    };
    uint32_t base = ~0u, offset = ~0u, size = 0;
    while (attribute(&data)) {
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

static void take_meta(Rule *rule, Attributes data)
{
    while (attribute(&data)) {
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

static void take_compare(Rule *rule, Load load, Attributes data)
{
    bool equal = true;
    while (attribute(&data)) {
        if (data.type == NFTA_CMP_OP)
            equal = be32(&data) == NFT_CMP_EQ;
        if (data.type != NFTA_CMP_DATA || !equal)
            continue;
        Attributes inner = attributes(data.value, data.size);
        if (attribute(&inner) && inner.type == NFTA_DATA_VALUE)
            compare(rule, load, inner.value, inner.size);
    }
}

/* iptables' match on the ports of TCP and UDP. Source: struct xt_tcp and xt_udp of
 * linux/netfilter/xt_tcpudp.h, whose first eight bytes are the same. */
static void take_match(Rule *rule, Attributes data)
{
    bool known = false;
    uint16_t ports[4];
    while (attribute(&data)) {
        if (data.type == NFTA_MATCH_NAME)
            known = is_text(&data, "tcp") || is_text(&data, "udp");
        if (data.type != NFTA_MATCH_INFO || !known || data.size < sizeof(ports))
            continue;
        memcpy(ports, data.value, sizeof(ports));
        if (ports[2] == ports[3])
            rule->port = ports[2];
    }
}

static void take_target(Rule *rule, Attributes data)
{
    while (attribute(&data))
        if (data.type == NFTA_TARGET_NAME)
            rule->hands_on = is_text(&data, "DNAT") || is_text(&data, "REDIRECT");
}

static void take_nat(Rule *rule, Attributes data)
{
    while (attribute(&data))
        if (data.type == NFTA_NAT_TYPE)
            rule->hands_on = be32(&data) == NFT_NAT_DNAT;
}

static void take_expression(Rule *rule, Attributes expression)
{
    Attributes name = {0};
    Attributes data = {0};
    while (attribute(&expression)) {
        if (expression.type == NFTA_EXPR_NAME)
            name = expression;
        else if (expression.type == NFTA_EXPR_DATA)
            data = attributes(expression.value, expression.size);
    }
    Load before = rule->load;
    rule->load = LOAD_OTHER;
    if (is_text(&name, "payload"))
        take_payload(rule, data);
    else if (is_text(&name, "meta"))
        take_meta(rule, data);
    else if (is_text(&name, "cmp"))
        take_compare(rule, before, data);
    else if (is_text(&name, "match"))
        take_match(rule, data);
    else if (is_text(&name, "target"))
        take_target(rule, data);
    else if (is_text(&name, "nat"))
        take_nat(rule, data);
    else if (is_text(&name, "redir"))
        rule->hands_on = true;
}

/* ---- what a dump says ---- */

static void add_port(NatPorts *ports, const Rule *rule)
{
    bool whole = rule->hands_on && !rule->elsewhere && rule->port != 0 &&
                 (rule->protocol == IPPROTO_TCP || rule->protocol == IPPROTO_UDP);
    for (size_t i = 0; whole && i < ports->count; i++)
        whole = ports->ports[i].port != rule->port || ports->ports[i].protocol != rule->protocol;
    if (whole && ports->count < PORTS_MAX)
        ports->ports[ports->count++] = (NatPort){rule->protocol, rule->port};
}

static bool is_at_prerouting(Attributes hook)
{
    while (attribute(&hook))
        if (hook.type == NFTA_HOOK_HOOKNUM)
            return be32(&hook) == NF_INET_PRE_ROUTING;
    return false;
}

static void take_chain(NatPorts *ports, uint8_t family, Attributes fields)
{
    Chain chain = {.family = family};
    bool has_hook = false;
    bool at_prerouting = false;
    bool is_nat = false;
    while (attribute(&fields)) {
        if (fields.type == NFTA_CHAIN_TABLE)
            copy_name(chain.table, &fields);
        else if (fields.type == NFTA_CHAIN_NAME)
            copy_name(chain.name, &fields);
        else if (fields.type == NFTA_CHAIN_TYPE)
            is_nat = is_text(&fields, "nat");
        else if (fields.type == NFTA_CHAIN_HOOK) {
            has_hook = true;
            at_prerouting = is_at_prerouting(attributes(fields.value, fields.size));
        }
    }
    chain.counts = is_nat && at_prerouting;
    if (has_hook && ports->chain_count < CHAINS_MAX)
        ports->chains[ports->chain_count++] = chain;
}

/* Whether packets from eth0 may come to a rule: its table has a chain at prerouting, and it is in
 * that one or in one that no hook leads to. */
static bool is_reached(const NatPorts *ports, uint8_t family, const char *table, const char *name)
{
    bool reached = false;
    for (size_t i = 0; i < ports->chain_count; i++) {
        const Chain *chain = &ports->chains[i];
        if (chain->family != family || strcmp(chain->table, table) != 0)
            continue;
        if (strcmp(chain->name, name) == 0)
            return chain->counts;
        reached = reached || chain->counts;
    }
    return reached;
}

static void take_rule(NatPorts *ports, uint8_t family, Attributes fields)
{
    Rule rule = {0};
    char table[NAME_MAX_] = "";
    char chain[NAME_MAX_] = "";
    while (attribute(&fields)) {
        if (fields.type == NFTA_RULE_TABLE)
            copy_name(table, &fields);
        else if (fields.type == NFTA_RULE_CHAIN)
            copy_name(chain, &fields);
        if (fields.type != NFTA_RULE_EXPRESSIONS)
            continue;
        Attributes list = attributes(fields.value, fields.size);
        while (attribute(&list))
            take_expression(&rule, attributes(list.value, list.size));
    }
    if (is_reached(ports, family, table, chain))
        add_port(ports, &rule);
}

/* ---- dumps ---- */

typedef void (*Take)(NatPorts *ports, uint8_t family, Attributes fields);

/* One datagram's messages. 1: more will follow; 0: that was all; or -errno. */
static int take_messages(NatPorts *ports, const struct nlmsghdr *header, size_t size, Take take)
{
    const size_t fixed = NLMSG_ALIGN(sizeof(struct nfgenmsg));
    while (NLMSG_OK(header, size)) {
        if (header->nlmsg_type == NLMSG_DONE)
            return 0;
        if (header->nlmsg_type == NLMSG_ERROR)
            return -EIO;
        const struct nfgenmsg *message = NLMSG_DATA(header);
        if (header->nlmsg_len >= NLMSG_LENGTH(fixed))
            take(ports, message->nfgen_family,
                 attributes((const char *)message + fixed, NLMSG_PAYLOAD(header, fixed)));
        size_t step = NLMSG_ALIGN(header->nlmsg_len);
        if (step >= size)
            break;
        header = (const void *)((const char *)header + step);
        size -= step;
    }
    return 1;
}

static int dump(NatPorts *ports, uint16_t type, Take take)
{
    union {
        struct nlmsghdr header;
        char bytes[32768];
    } answer;
    struct {
        struct nlmsghdr header;
        struct nfgenmsg message;
    } question = {
        .header = {.nlmsg_len = sizeof(question),
                   .nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .message = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0},
    };
    if (send(ports->dump, &question, sizeof(question), 0) < 0)
        return -errno;
    int result;
    do {
        ssize_t size = recv(ports->dump, &answer, sizeof(answer), 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return size < 0 ? -errno : -EIO;
        result = take_messages(ports, &answer.header, (size_t)size, take);
    } while (result > 0);
    return result;
}

static void refresh(NatPorts *ports)
{
    ports->stale = false;
    ports->chain_count = 0;
    ports->count = 0;
    int result = dump(ports, NFT_MSG_GETCHAIN, take_chain);
    bool any = false;
    for (size_t i = 0; i < ports->chain_count; i++)
        any = any || ports->chains[i].counts;
    if (result == 0 && any)
        dump(ports, NFT_MSG_GETRULE, take_rule);
}

static bool is_reserved(const NatPorts *ports, const WireListener *listener)
{
    static const uint8_t any[16];
    if (listener->family != 6 || memcmp(listener->address, any, sizeof(any)) != 0)
        return false;
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i].port == listener->port &&
            ports->ports[i].protocol == listener->protocol)
            return true;
    return false;
}

size_t natports_merge(NatPorts *ports, ListeningSocket *sockets, size_t count, size_t max)
{
    if (ports->stale)
        refresh(ports);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_reserved(ports, &sockets[i].listener))
            sockets[kept++] = sockets[i];
    for (size_t i = 0; i < ports->count && kept < max; i++)
        sockets[kept++] = (ListeningSocket){.listener = {.family = 4,
                                                         .protocol = ports->ports[i].protocol,
                                                         .port = ports->ports[i].port,
                                                         .address = NETWORK_ADDRESS}};
    return kept;
}

/* ---- events ---- */

static void on_event(Source *source, uint32_t events)
{
    NatPorts *ports = container_of(source, NatPorts, events);
    char bytes[4096];
    while (recv(source->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0 || errno == ENOBUFS ||
           errno == EINTR)
        continue;
    ports->stale = true;
    ports->changed(ports->data);
}

static int open_socket(uint32_t groups)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

NatPorts *natports_new(Loop *loop, void (*changed)(void *data), void *data)
{
    NatPorts *ports = calloc(1, sizeof(*ports));
    int events = ports != NULL ? open_socket(1u << (NFNLGRP_NFTABLES - 1)) : -1;
    int questions = events >= 0 ? open_socket(0) : -1;
    if (questions < 0) {
        if (events >= 0)
            close(events);
        free(ports);
        return NULL;
    }
    ports->loop = loop;
    ports->dump = questions;
    ports->stale = true;
    ports->changed = changed;
    ports->data = data;
    loop_add(loop, &ports->events, events, EPOLLIN, on_event);
    return ports;
}

void natports_free(NatPorts *ports)
{
    if (ports == NULL)
        return;
    loop_close(ports->loop, &ports->events);
    close(ports->dump);
    free(ports);
}

/* SPDX-License-Identifier: MIT
 *
 * The kernel's dumps are queued in a socket beforehand: the chains first, then the rules.
 */
#include "ports/natports.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 16

typedef struct {
    Loop loop;
    NatPorts *ports;
    int asked;  /* natports' end of the requests */
    int kernel; /* the fake kernel's end of the requests */
    int events; /* the fake kernel's end of the events */
    guint32 sequence;
    guint changes;
    guint chains; /* how many answer_with_chains sends */
    GThread *kernel_thread;
    ListeningSocket sockets[ROOM];
} Fixture;

static void on_changed(void *data)
{
    (*(guint *)data)++;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    int requests[2], events[2];
    const int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
    g_assert_cmpint(socketpair(AF_UNIX, type, 0, requests), ==, 0);
    g_assert_cmpint(socketpair(AF_UNIX, type, 0, events), ==, 0);
    g_assert_cmpint(loop_init(&fixture->loop), ==, 0);
    const NatPortsSockets sockets = {.requests.fd = requests[0], .events = events[0]};
    fixture->ports = natports_new(&fixture->loop, &sockets, on_changed, &fixture->changes);
    fixture->asked = requests[0];
    fixture->kernel = requests[1];
    fixture->events = events[1];
    fixture->sequence = 1;
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    natports_free(fixture->ports);
    close(fixture->loop.epoll);
    close(fixture->kernel);
    close(fixture->events);
}

/* --- the kernel's side --- */

typedef union {
    struct {
        struct nlmsghdr header;
        struct nfgenmsg message;
    };
    char bytes[1024];
} Message;

static void put(Message *message, guint16 type, const void *value, gsize size)
{
    g_assert_true(netlink_put(&message->header, sizeof(*message), type, value, size));
}

static void put_text(Message *message, guint16 type, const char *text)
{
    put(message, type, text, strlen(text) + 1);
}

static void put_u32(Message *message, guint16 type, guint32 value)
{
    value = htonl(value);
    put(message, type, &value, sizeof(value));
}

static gsize nest(Message *message, guint16 type)
{
    gsize start = netlink_nest(&message->header, sizeof(*message), type);
    g_assert_cmpuint(start, !=, 0);
    return start;
}

static Message begin(Fixture *fixture, guint type)
{
    return (Message){.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
                                .nlmsg_type = (guint16)(NFNL_SUBSYS_NFTABLES << 8 | type),
                                .nlmsg_flags = NLM_F_MULTI,
                                .nlmsg_seq = fixture->sequence},
                     .message.nfgen_family = NFPROTO_IPV4};
}

static void send_message(Fixture *fixture, const Message *message)
{
    gsize size = message->header.nlmsg_len;
    g_assert_cmpint(send(fixture->kernel, message, size, 0), ==, (gssize)size);
}

static void done(Fixture *fixture, guint16 flags)
{
    struct nlmsghdr header = {.nlmsg_len = sizeof(header),
                              .nlmsg_type = NLMSG_DONE,
                              .nlmsg_flags = (guint16)(NLM_F_MULTI | flags),
                              .nlmsg_seq = fixture->sequence++};
    g_assert_cmpint(send(fixture->kernel, &header, sizeof(header), 0), ==, sizeof(header));
}

static void send_chain(Fixture *fixture, const char *name, const char *type, guint32 hook)
{
    Message message = begin(fixture, NFT_MSG_NEWCHAIN);
    put_text(&message, NFTA_CHAIN_TABLE, "nat");
    put_text(&message, NFTA_CHAIN_NAME, name);
    gsize at = nest(&message, NFTA_CHAIN_HOOK);
    put_u32(&message, NFTA_HOOK_HOOKNUM, hook);
    netlink_nest_end(&message.header, at);
    put_text(&message, NFTA_CHAIN_TYPE, type);
    send_message(fixture, &message);
}

/* Begins an expression called @name; pass the result to end_expression. */
typedef struct {
    gsize element, data;
} Expression;

static Expression expression(Message *message, const char *name)
{
    Expression nests = {.element = nest(message, NFTA_LIST_ELEM)};
    put_text(message, NFTA_EXPR_NAME, name);
    nests.data = nest(message, NFTA_EXPR_DATA);
    return nests;
}

static void end_expression(Message *message, Expression nests)
{
    netlink_nest_end(&message->header, nests.data);
    netlink_nest_end(&message->header, nests.element);
}

static void put_payload(Message *message, guint32 base, guint32 offset, guint32 size)
{
    Expression nests = expression(message, "payload");
    put_u32(message, NFTA_PAYLOAD_BASE, base);
    put_u32(message, NFTA_PAYLOAD_OFFSET, offset);
    put_u32(message, NFTA_PAYLOAD_LEN, size);
    end_expression(message, nests);
}

static void put_compare(Message *message, guint32 operation, const void *value, gsize size)
{
    Expression nests = expression(message, "cmp");
    put_u32(message, NFTA_CMP_OP, operation);
    gsize data = nest(message, NFTA_CMP_DATA);
    put(message, NFTA_DATA_VALUE, value, size);
    netlink_nest_end(&message->header, data);
    end_expression(message, nests);
}

static void put_dnat(Message *message)
{
    Expression nests = expression(message, "nat");
    put_u32(message, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    end_expression(message, nests);
}

/* Send a rule of nft: "tcp dport @port dnat to ...", in @chain; with the comparison @operation. */
static void send_rule(Fixture *fixture, const char *chain, guint16 port, guint32 operation)
{
    static const guint8 tcp = IPPROTO_TCP;
    guint16 there = htons(port);
    Message message = begin(fixture, NFT_MSG_NEWRULE);
    put_text(&message, NFTA_RULE_TABLE, "nat");
    put_text(&message, NFTA_RULE_CHAIN, chain);
    gsize list = nest(&message, NFTA_RULE_EXPRESSIONS);
    put_payload(&message, NFT_PAYLOAD_NETWORK_HEADER, 9, 1);
    put_compare(&message, NFT_CMP_EQ, &tcp, 1);
    put_payload(&message, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
    put_compare(&message, operation, &there, 2);
    put_dnat(&message);
    netlink_nest_end(&message.header, list);
    send_message(fixture, &message);
}

/* Send a rule of iptables-nft for UDP @port, for the destination @to. */
static void send_iptables_rule(Fixture *fixture, const guint8 to[4], guint16 port)
{
    static const guint8 udp = IPPROTO_UDP;
    const guint16 ports[6] = {0, G_MAXUINT16, port, port};
    Message message = begin(fixture, NFT_MSG_NEWRULE);
    put_text(&message, NFTA_RULE_TABLE, "nat");
    put_text(&message, NFTA_RULE_CHAIN, "PREROUTING");
    gsize list = nest(&message, NFTA_RULE_EXPRESSIONS);
    put_payload(&message, NFT_PAYLOAD_NETWORK_HEADER, 16, 4);
    put_compare(&message, NFT_CMP_EQ, to, 4);
    put_payload(&message, NFT_PAYLOAD_NETWORK_HEADER, 9, 1);
    put_compare(&message, NFT_CMP_EQ, &udp, 1);
    Expression match = expression(&message, "match");
    put_text(&message, NFTA_MATCH_NAME, "udp");
    put(&message, NFTA_MATCH_INFO, ports, sizeof(ports));
    end_expression(&message, match);
    Expression target = expression(&message, "target");
    put_text(&message, NFTA_TARGET_NAME, "DNAT");
    end_expression(&message, target);
    netlink_nest_end(&message.header, list);
    send_message(fixture, &message);
}

static void send_chains(Fixture *fixture)
{
    send_chain(fixture, "PREROUTING", "nat", NF_INET_PRE_ROUTING);
    send_chain(fixture, "OUTPUT", "nat", NF_INET_LOCAL_OUT);
    done(fixture, 0);
}

/* Expect these ports: "tcp 80 udp 53". */
static void check(Fixture *fixture, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    gsize count = natports_merge(fixture->ports, fixture->sockets, 0, ROOM);
    for (gsize i = 0; i < count; i++) {
        const WireListener *listener = &fixture->sockets[i].listener;
        static const guint8 eth0[4] = {10, 0, 2, 15};
        g_assert_cmpmem(listener->address, 4, eth0, 4);
        g_string_append_printf(text, "%s%s %u", i > 0 ? " " : "",
                               listener->protocol == IPPROTO_TCP ? "tcp" : "udp", listener->port);
    }
    g_assert_cmpstr(text->str, ==, expected);
}

static void notify_of_a_change(Fixture *fixture)
{
    g_assert_cmpint(send(fixture->events, "x", 1, 0), ==, 1);
    g_assert_cmpint(loop_turn(&fixture->loop), ==, 0);
}

/* --- tests --- */

static void test_rules_of_nft_and_iptables(Fixture *fixture, gconstpointer data)
{
    static const guint8 eth0[4] = {10, 0, 2, 15}, other[4] = {10, 0, 2, 16};
    send_chains(fixture);
    send_rule(fixture, "PREROUTING", 80, NFT_CMP_EQ);
    send_rule(fixture, "CONTAINERS", 81, NFT_CMP_EQ); /* PREROUTING may jump to it */
    send_rule(fixture, "OUTPUT", 82, NFT_CMP_EQ);
    send_rule(fixture, "PREROUTING", 83, NFT_CMP_NEQ);
    send_rule(fixture, "PREROUTING", 80, NFT_CMP_EQ); /* a duplicate */
    send_iptables_rule(fixture, eth0, 53);
    send_iptables_rule(fixture, other, 54);
    done(fixture, 0);
    check(fixture, "tcp 80 tcp 81 udp 53");
    check(fixture, "tcp 80 tcp 81 udp 53"); /* sends no request */
}

static void test_rules_are_not_dumped_without_a_chain(Fixture *fixture, gconstpointer data)
{
    send_chain(fixture, "OUTPUT", "nat", NF_INET_LOCAL_OUT);
    send_chain(fixture, "PREROUTING", "filter", NF_INET_PRE_ROUTING);
    done(fixture, 0);
    check(fixture, "");
    g_assert_cmpuint(fixture->sequence, ==, 2);
}

static void test_rules_change(Fixture *fixture, gconstpointer data)
{
    send_chains(fixture);
    send_rule(fixture, "PREROUTING", 80, NFT_CMP_EQ);
    done(fixture, 0);
    check(fixture, "tcp 80");
    notify_of_a_change(fixture);
    g_assert_cmpuint(fixture->changes, ==, 1);
    send_chains(fixture);
    done(fixture, 0);
    check(fixture, "");
}

/* Rules that change during the dump are dumped again. */
static void test_interrupted_dump_is_repeated(Fixture *fixture, gconstpointer data)
{
    send_chains(fixture);
    send_rule(fixture, "PREROUTING", 80, NFT_CMP_EQ);
    done(fixture, NLM_F_DUMP_INTR);
    send_rule(fixture, "PREROUTING", 81, NFT_CMP_EQ);
    done(fixture, 0);
    check(fixture, "tcp 81");
}

/* If they change during each attempt, the ports are kept and dumped again the next time. */
static void test_dump_interrupted_every_time(Fixture *fixture, gconstpointer data)
{
    send_chains(fixture);
    send_rule(fixture, "PREROUTING", 80, NFT_CMP_EQ);
    done(fixture, 0);
    check(fixture, "tcp 80");
    notify_of_a_change(fixture);
    send_chains(fixture);
    for (guint i = 0; i < NETLINK_TRIES; i++) {
        send_rule(fixture, "PREROUTING", 81, NFT_CMP_EQ);
        done(fixture, NLM_F_DUMP_INTR);
    }
    check(fixture, "tcp 80");
    send_chains(fixture);
    send_rule(fixture, "PREROUTING", 82, NFT_CMP_EQ);
    done(fixture, 0);
    check(fixture, "tcp 82");
}

static void test_reserved_port_is_reported_once(Fixture *fixture, gconstpointer data)
{
    send_chains(fixture);
    send_rule(fixture, "PREROUTING", 80, NFT_CMP_EQ);
    done(fixture, 0);
    const WireListener all = {.family = 6, .protocol = IPPROTO_TCP, .port = 80};
    fixture->sockets[0].listener = all; /* dockerd's placeholder, which accepts nothing */
    fixture->sockets[1].listener = (WireListener){6, IPPROTO_TCP, 81, {0}, NULL, 0, 0};
    g_assert_cmpuint(natports_merge(fixture->ports, fixture->sockets, 2, ROOM), ==, 2);
    g_assert_cmpuint(fixture->sockets[0].listener.port, ==, 81);
    g_assert_cmpuint(fixture->sockets[1].listener.port, ==, 80);
    g_assert_cmpuint(fixture->sockets[1].listener.family, ==, 4);
    g_assert_cmpuint(natports_merge(fixture->ports, fixture->sockets, 1, 1), ==, 1); /* no space */
}

/* More than a socket buffers, so the fake kernel answers in a thread. */
static void answer(Fixture *fixture, GThreadFunc function)
{
    g_assert_cmpint(fcntl(fixture->kernel, F_SETFL, 0), ==, 0); /* block if it is full, */
    g_assert_cmpint(fcntl(fixture->asked, F_SETFL, 0), ==, 0);  /* and wait for the answers */
    fixture->kernel_thread = g_thread_new("kernel", function, fixture);
}

static void finish_answer(Fixture *fixture)
{
    g_thread_join(g_steal_pointer(&fixture->kernel_thread));
}

/* The last of @fixture's chains forwards ports. */
static gpointer answer_with_chains(gpointer data)
{
    Fixture *fixture = data;
    g_autofree char *name = NULL;
    for (guint i = 0; i < fixture->chains; i++) {
        g_free(name);
        name = g_strdup_printf("CHAIN%u", i);
        send_chain(fixture, name, "nat", i < 3 ? NF_INET_LOCAL_OUT : NF_INET_PRE_ROUTING);
    }
    done(fixture, 0);
    for (guint i = 0; i < 3; i++)
        send_rule(fixture, name, (guint16)(80 + i), NFT_CMP_EQ);
    send_rule(fixture, "CHAIN2", 90, NFT_CMP_EQ);
    done(fixture, 0);
    return NULL;
}

static void test_many_chains(Fixture *fixture, gconstpointer data)
{
    fixture->chains = 1024;
    answer(fixture, answer_with_chains);
    check(fixture, "tcp 80 tcp 81 tcp 82");
    finish_answer(fixture);
    g_assert_cmpuint(natports_chains_left_out(fixture->ports), ==, 0);

    fixture->chains = 1030;
    notify_of_a_change(fixture);
    answer(fixture, answer_with_chains);
    check(fixture, "tcp 80 tcp 81 tcp 82");
    finish_answer(fixture);
    g_assert_cmpuint(natports_chains_left_out(fixture->ports), ==, 6);

    send_chains(fixture);
    done(fixture, 0);
    notify_of_a_change(fixture);
    check(fixture, "");
    g_assert_cmpuint(natports_chains_left_out(fixture->ports), ==, 0);
}

/* Two names that differ only in their last byte, the longest that the kernel knows. */
static void test_names_as_long_as_may_be(Fixture *fixture, gconstpointer data)
{
    g_autofree char *begin = g_strnfill(254, 'c');
    g_autofree char *one = g_strconcat(begin, "1", NULL);
    g_autofree char *two = g_strconcat(begin, "2", NULL);
    send_chain(fixture, one, "nat", NF_INET_LOCAL_OUT);
    send_chain(fixture, two, "nat", NF_INET_PRE_ROUTING);
    done(fixture, 0);
    send_rule(fixture, one, 80, NFT_CMP_EQ);
    send_rule(fixture, two, 81, NFT_CMP_EQ);
    done(fixture, 0);
    check(fixture, "tcp 81");
}

#define MANY 3000

static gpointer answer_with_rules(gpointer data)
{
    Fixture *fixture = data;
    send_chains(fixture);
    for (guint i = 0; i < MANY; i++)
        send_rule(fixture, "PREROUTING", (guint16)(65535 - i), NFT_CMP_EQ);
    send_rule(fixture, "PREROUTING", 65535, NFT_CMP_EQ); /* a duplicate */
    done(fixture, 0);
    return NULL;
}

static void test_many_ports(Fixture *fixture, gconstpointer data)
{
    g_autofree ListeningSocket *sockets = g_new0(ListeningSocket, MANY);
    answer(fixture, answer_with_rules);
    g_assert_cmpuint(natports_merge(fixture->ports, sockets, 0, MANY), ==, MANY);
    finish_answer(fixture);
    for (guint i = 0; i < MANY; i++)
        g_assert_cmpuint(sockets[i].listener.port, ==, 65536 - MANY + i);
    g_assert_cmpuint(natports_left_out(fixture->ports), ==, 0);

    g_assert_cmpuint(natports_merge(fixture->ports, sockets, 10, 100), ==, 100);
    g_assert_cmpuint(natports_left_out(fixture->ports), ==, MANY - 90);
}

#define CASE(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/berth-guest/natports/rules", test_rules_of_nft_and_iptables);
    CASE("/berth-guest/natports/no-chain", test_rules_are_not_dumped_without_a_chain);
    CASE("/berth-guest/natports/changes", test_rules_change);
    CASE("/berth-guest/natports/chains", test_many_chains);
    CASE("/berth-guest/natports/names", test_names_as_long_as_may_be);
    CASE("/berth-guest/natports/ports", test_many_ports);
    CASE("/berth-guest/natports/interrupted", test_interrupted_dump_is_repeated);
    CASE("/berth-guest/natports/never-complete", test_dump_interrupted_every_time);
    CASE("/berth-guest/natports/reserved", test_reserved_port_is_reported_once);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT
 *
 * The forwarder between this program as the guest and sockets of this program as name servers.
 */
#include "net/dns.h"

#include "base/fd.h"
#include "net/dns_message.h"
#include "../lib/dns_query.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long the forwarder waits for a server: for ever where nothing may hang on it; else so long
 * that a busy machine gets through the rest of a question, or where only its end matters briefly.
 */
#define FOR_EVER_MSEC (3600 * 1000)
#define A_WHILE_MSEC  1000
#define BRIEFLY_MSEC  100
#define PATIENCE_MSEC 30000

typedef struct {
    BerthDns *dns;
    guint answers;
    BerthDatagramEnds ends; /* of the last answer */
    guint8 answer[65535];
    gsize size;
} World;

static const BerthDatagramEnds guest = {.family = 4, .guest_port = 40000, .our_port = 53};

static void on_answer(const BerthDatagramEnds *ends, const guint8 *message, gsize size,
                      gpointer user_data)
{
    World *world = user_data;
    world->answers++;
    world->ends = *ends;
    world->size = size;
    memcpy(world->answer, message, size);
}

static void setup(World *world, gconstpointer data)
{
    memset(world, 0, sizeof(*world));
    world->dns = berth_dns_new(GPOINTER_TO_UINT(data), on_answer, world);
    g_assert_nonnull(world->dns);
}

static void teardown(World *world, gconstpointer data)
{
    berth_dns_free(world->dns);
}

/* --- name servers --- */

static int new_server(int family, BerthResolver *ret_resolver)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage storage = {.ss_family = (sa_family_t)family};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    *ret_resolver = (BerthResolver){.family = family == AF_INET ? 4 : 6};
    if (family == AF_INET) {
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        memcpy(ret_resolver->address, &v4->sin_addr, 4);
    } else {
        v6->sin6_addr = in6addr_loopback;
        memcpy(ret_resolver->address, &v6->sin6_addr, 16);
    }
    socklen_t size = family == AF_INET ? sizeof(*v4) : sizeof(*v6);
    if (bind(fd, (struct sockaddr *)&storage, size) < 0) {
        close(fd);
        return -1;
    }
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&storage, &size), ==, 0);
    ret_resolver->port = ntohs(family == AF_INET ? v4->sin_port : v6->sin6_port);
    return fd;
}

/* Create @count IPv4 servers and set them. */
static void use_servers(World *world, guint count, int *ret_fds)
{
    BerthResolvers list = {.count = count};
    for (guint i = 0; i < count; i++)
        ret_fds[i] = new_server(AF_INET, &list.list[i]);
    berth_dns_set_servers(world->dns, &list);
}

/* Run until @fd is readable or the answers have come; false on timeout. */
static bool run(World *world, int fd, guint answers)
{
    while (world->answers < answers) {
        struct pollfd polls[] = {{.fd = berth_dns_fd(world->dns), .events = POLLIN},
                                 {.fd = fd, .events = POLLIN}};
        if (poll(polls, 2, PATIENCE_MSEC) < 1)
            return false;
        if (polls[1].revents != 0)
            return true;
        berth_dns_run(world->dns);
    }
    return true;
}

typedef struct {
    guint8 bytes[1000];
    gsize size;
    struct sockaddr_storage from;
    socklen_t from_size;
} Question;

static Question receive(World *world, int fd)
{
    Question question = {.from_size = sizeof(question.from)};
    g_assert_true(run(world, fd, G_MAXUINT));
    ssize_t size = recvfrom(fd, question.bytes, sizeof(question.bytes), MSG_DONTWAIT,
                            (struct sockaddr *)&question.from, &question.from_size);
    g_assert_cmpint(size, >, 0);
    question.size = (gsize)size;
    return question;
}

static void reply(int fd, const Question *question, const guint8 *bytes, gsize size)
{
    g_assert_cmpint(
        sendto(fd, bytes, size, 0, (const struct sockaddr *)&question->from, question->from_size),
        ==, (gssize)size);
}

/* Reply with the query itself, @code and @extra bytes. */
static void reply_code(int fd, const Question *question, guint code, gsize extra)
{
    g_autofree guint8 *bytes = g_malloc0(question->size + extra);
    memcpy(bytes, question->bytes, question->size);
    bytes[2] |= 0x80;
    bytes[3] = (guint8)(0x80 | code);
    reply(fd, question, bytes, question->size + extra);
}

static void refuse_to_answer(int fd)
{
    close(fd); /* the kernel then replies with an ICMP error */
}

static void ask(World *world, guint id, const char *name)
{
    guint8 query[DNS_QUERY_MAX];
    gsize size = make_query(query, id, name, 1);
    berth_dns_ask(world->dns, &guest, query, size);
}

static void expect(World *world, guint answers, guint id, guint code)
{
    g_assert_true(run(world, -1, answers));
    g_assert_cmpuint(world->answers, ==, answers);
    g_assert_cmphex(get_u16(world->answer), ==, id);
    g_assert_cmpuint(world->answer[2] & 0x80, !=, 0);
    g_assert_cmpuint(world->answer[3] & 0x0f, ==, code);
    g_assert_cmpmem(&world->ends, sizeof(guest), &guest, sizeof(guest));
}

/* --- tests --- */

static void test_forwards_queries(World *world, gconstpointer data)
{
    int server;
    use_servers(world, 1, &server);
    guint8 query[DNS_QUERY_MAX];
    gsize size = make_extended_query(query, 7, "WWW.example.com", 65);
    berth_dns_ask(world->dns, &guest, query, size);
    Question question = receive(world, server);
    g_assert_cmpmem(question.bytes + 2, question.size - 2, query + 2, size - 2);
    reply_code(server, &question, 0, 100);
    expect(world, 1, 7, 0);
    g_assert_cmpuint(world->size, ==, size + 100);
    g_assert_cmpuint(berth_dns_pending(world->dns), ==, 0);
    g_assert_cmpuint(berth_dns_counters(world->dns)->answered, ==, 1);
    close(server);
}

static void test_huge_answer(World *world, gconstpointer data)
{
    int server;
    use_servers(world, 1, &server);
    ask(world, 1, "example.com");
    Question question = receive(world, server);
    reply_code(server, &question, 0, 60000);
    expect(world, 1, 1, 0);
    g_assert_cmpuint(world->size, ==, question.size + 60000);
    close(server);
}

static void test_ids_are_random(World *world, gconstpointer data)
{
    int server;
    use_servers(world, 1, &server);
    g_autoptr(GHashTable) ids = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) ports = g_hash_table_new(NULL, NULL);
    for (guint i = 0; i < 64; i++) {
        ask(world, i, "example.com");
        Question question = receive(world, server);
        const struct sockaddr_in *from = (const struct sockaddr_in *)&question.from;
        g_hash_table_add(ids, GUINT_TO_POINTER(get_u16(question.bytes)));
        g_hash_table_add(ports, GUINT_TO_POINTER((guint)from->sin_port));
    }
    g_assert_cmpuint(g_hash_table_size(ids), >, 48);
    g_assert_cmpuint(g_hash_table_size(ports), ==, 64);
    close(server);
}

static void test_next_server_after_a_while(World *world, gconstpointer data)
{
    int servers[3];
    use_servers(world, 3, servers);
    ask(world, 5, "example.com");
    Question first = receive(world, servers[0]);
    Question second = receive(world, servers[1]);
    reply_code(servers[1], &second, 0, 0);
    expect(world, 1, 5, 0);

    ask(world, 6, "example.com"); /* starts with the server that answered last */
    second = receive(world, servers[1]);
    reply_code(servers[1], &second, 0, 0);
    expect(world, 2, 6, 0);

    /* too late to count */
    reply_code(servers[0], &first, 0, 0);
    g_assert_cmpuint(berth_dns_pending(world->dns), ==, 0);
    for (guint i = 0; i < 3; i++)
        close(servers[i]);
}

static void test_late_answer_is_accepted(World *world, gconstpointer data)
{
    int servers[2];
    use_servers(world, 2, servers);
    ask(world, 5, "example.com");
    Question first = receive(world, servers[0]);
    receive(world, servers[1]);
    reply_code(servers[0], &first, 3, 0); /* NXDOMAIN is an answer */
    expect(world, 1, 5, 3);
    close(servers[0]);
    close(servers[1]);
}

static void test_next_server_after_icmp_error(World *world, gconstpointer data)
{
    int servers[2];
    use_servers(world, 2, servers);
    refuse_to_answer(servers[0]);
    ask(world, 5, "example.com");
    Question second = receive(world, servers[1]); /* at once: the wait would never end */
    reply_code(servers[1], &second, 0, 0);
    expect(world, 1, 5, 0);
    close(servers[1]);
}

static void test_next_server_after_servfail(World *world, gconstpointer data)
{
    int servers[3];
    use_servers(world, 3, servers);
    ask(world, 5, "example.com");
    Question question = receive(world, servers[0]);
    reply_code(servers[0], &question, 2, 0);
    question = receive(world, servers[1]);
    reply_code(servers[1], &question, 5, 0);
    question = receive(world, servers[2]);
    reply_code(servers[2], &question, 0, 0);
    expect(world, 1, 5, 0);
    for (guint i = 0; i < 3; i++)
        close(servers[i]);
}

static void test_servfail_of_all_is_passed_on(World *world, gconstpointer data)
{
    int servers[2];
    use_servers(world, 2, servers);
    ask(world, 5, "example.com");
    for (guint i = 0; i < 2; i++) {
        Question question = receive(world, servers[i]);
        reply_code(servers[i], &question, i == 0 ? 2 : 5, 9);
    }
    expect(world, 1, 5, 5); /* the last server's own response */
    g_assert_cmpuint(berth_dns_counters(world->dns)->failed, ==, 1);
    close(servers[0]);
    close(servers[1]);
}

static void test_all_servers_unreachable(World *world, gconstpointer data)
{
    int servers[2];
    use_servers(world, 2, servers);
    refuse_to_answer(servers[0]);
    refuse_to_answer(servers[1]);
    ask(world, 5, "example.com");
    expect(world, 1, 5, 2);
}

static void test_silence_ends_in_failure(World *world, gconstpointer data)
{
    int server;
    use_servers(world, 1, &server);
    gint64 start = g_get_monotonic_time();
    ask(world, 5, "example.com");
    expect(world, 1, 5, 2);
    gint64 took = g_get_monotonic_time() - start;
    g_assert_cmpint(took, >=, BRIEFLY_MSEC * 1000 * BERTH_DNS_WAITS);
    close(server);
}

static void test_no_servers(World *world, gconstpointer data)
{
    ask(world, 5, "example.com");
    g_assert_cmpuint(world->answers, ==, 1); /* at once */
    expect(world, 1, 5, 2);
    g_assert_cmpuint(berth_dns_counters(world->dns)->no_server, ==, 1);
}

static void test_local_names_need_no_server(World *world, gconstpointer data)
{
    berth_internal_names_set(berth_dns_names(world->dns), 9, "debian");
    ask(world, 5, "debian.berth.internal");
    expect(world, 1, 5, 0);
    ask(world, 6, "nobody.berth.internal");
    expect(world, 2, 6, 3);
    g_assert_cmpuint(berth_dns_counters(world->dns)->local, ==, 2);
}

static void test_spoofed_answers_are_ignored(World *world, gconstpointer data)
{
    int server;
    BerthResolver other;
    use_servers(world, 1, &server);
    berth_autofd int stranger = new_server(AF_INET, &other);
    ask(world, 5, "example.com");
    Question question = receive(world, server), wrong;

    reply_code(stranger, &question, 0, 0); /* dropped by the connected socket */
    wrong = question;
    wrong.bytes[0] ^= 1; /* id */
    reply_code(server, &wrong, 0, 0);
    wrong = question;
    wrong.bytes[13] ^= 1; /* name */
    reply_code(server, &wrong, 0, 0);
    wrong = question;
    wrong.bytes[question.size - 3] ^= 1; /* type */
    reply_code(server, &wrong, 0, 0);
    wrong = question;
    wrong.bytes[5] = 0; /* no question, though not an error response */
    reply_code(server, &wrong, 0, 0);
    reply(server, &question, question.bytes, question.size); /* a query instead of a response */
    reply(server, &question, question.bytes, 11);
    reply(server, &question, question.bytes, 0);
    while (berth_dns_counters(world->dns)->ignored < 7)
        berth_dns_run(world->dns);
    g_assert_cmpuint(world->answers, ==, 0);

    question.bytes[14] = (guint8)g_ascii_toupper((gchar)question.bytes[14]); /* some servers change
                                                                              * case */
    reply_code(server, &question, 0, 0);
    expect(world, 1, 5, 0);
    close(server);
}

static void test_servers_change_at_any_time(World *world, gconstpointer data)
{
    int before[1], after[1];
    use_servers(world, 1, before);
    ask(world, 5, "example.com");
    receive(world, before[0]);
    use_servers(world, 1, after); /* pending queries are sent to the new servers */
    Question question = receive(world, after[0]);
    reply_code(after[0], &question, 0, 0);
    expect(world, 1, 5, 0);

    ask(world, 6, "example.com");
    question = receive(world, after[0]);
    berth_dns_set_servers(world->dns, &(BerthResolvers){0});
    reply_code(after[0], &question, 0, 0); /* still accepted */
    expect(world, 2, 6, 0);
    ask(world, 7, "example.com");
    expect(world, 3, 7, 2);
    close(before[0]);
    close(after[0]);
}

static void test_ipv6_server(World *world, gconstpointer data)
{
    BerthResolvers list = {.count = 1};
    int server = new_server(AF_INET6, &list.list[0]);
    if (server < 0) {
        g_test_skip("no IPv6 here");
        return;
    }
    berth_dns_set_servers(world->dns, &list);
    ask(world, 5, "example.com");
    Question question = receive(world, server);
    reply_code(server, &question, 0, 0);
    expect(world, 1, 5, 0);
    g_assert_cmpuint(berth_dns_server_by_tcp(world->dns)->family, ==, 6);
    list.list[0].scope = 1; /* link-local: libslirp cannot connect to it */
    berth_dns_set_servers(world->dns, &list);
    g_assert_null(berth_dns_server_by_tcp(world->dns));
    close(server);
}

static void test_server_for_tcp(World *world, gconstpointer data)
{
    int servers[2];
    g_assert_null(berth_dns_server_by_tcp(world->dns));
    use_servers(world, 2, servers);
    guint16 first = berth_dns_server_by_tcp(world->dns)->port;
    ask(world, 5, "example.com");
    receive(world, servers[0]);
    Question question = receive(world, servers[1]);
    reply_code(servers[1], &question, 0, 0);
    expect(world, 1, 5, 0);
    g_assert_cmpuint(berth_dns_server_by_tcp(world->dns)->port, !=, first);
    close(servers[0]);
    close(servers[1]);
}

static void test_repeated_query_is_sent_once(World *world, gconstpointer data)
{
    int server;
    use_servers(world, 1, &server);
    ask(world, 5, "example.com");
    ask(world, 5, "example.com");
    Question one = receive(world, server), two = receive(world, server);
    g_assert_cmpmem(one.bytes, one.size, two.bytes, two.size);
    g_assert_cmpuint(berth_dns_pending(world->dns), ==, 1);
    reply_code(server, &two, 0, 0);
    expect(world, 1, 5, 0);
    close(server);
}

static guint open_descriptors(void)
{
    g_autoptr(GDir) directory = g_dir_open("/proc/self/fd", 0, NULL);
    guint count = 0;
    while (g_dir_read_name(directory) != NULL)
        count++;
    return count;
}

static void test_flood_is_bounded(World *world, gconstpointer data)
{
    enum { FLOOD = 5000 };
    int servers[3];
    use_servers(world, 3, servers);
    guint before = open_descriptors();
    for (guint i = 0; i < FLOOD; i++) {
        ask(world, i, "example.com");
        if (i % 100 == 0)
            berth_dns_run(world->dns);
    }
    g_assert_cmpuint(berth_dns_pending(world->dns), ==, BERTH_DNS_PENDING_MAX);
    g_assert_cmpuint(berth_dns_counters(world->dns)->overtaken, ==, FLOOD - BERTH_DNS_PENDING_MAX);

    guint most = 0;
    while (berth_dns_pending(world->dns) > 0) { /* all move to the next servers, then fail */
        struct pollfd entry = {.fd = berth_dns_fd(world->dns), .events = POLLIN};
        g_assert_cmpint(poll(&entry, 1, PATIENCE_MSEC), ==, 1);
        berth_dns_run(world->dns);
        most = MAX(most, open_descriptors() - before);
    }
    g_assert_cmpuint(most, <=, BERTH_DNS_PENDING_MAX);
    g_assert_cmpuint(open_descriptors(), ==, before);
    g_assert_cmpuint(world->answers, ==, BERTH_DNS_PENDING_MAX);
    for (guint i = 0; i < 3; i++)
        close(servers[i]);
}

static void test_invalid_queries_are_dropped(World *world, gconstpointer data)
{
    int server;
    use_servers(world, 1, &server);
    guint8 query[DNS_QUERY_MAX];
    gsize size = make_query(query, 1, "example.com", 1);
    berth_dns_ask(world->dns, &guest, query, 0);
    berth_dns_ask(world->dns, &guest, query, 11);
    query[2] |= 0x80;
    berth_dns_ask(world->dns, &guest, query, size);
    g_assert_cmpuint(berth_dns_counters(world->dns)->malformed, ==, 3);
    g_assert_cmpuint(berth_dns_pending(world->dns), ==, 0);

    /* odd but well-formed queries are left to the server */
    berth_dns_ask(world->dns, &guest, (const guint8[12]){0, 9, 0x28}, 12);
    Question question = receive(world, server);
    g_assert_cmpuint(question.size, ==, 12);
    reply_code(server, &question, 4, 0);
    expect(world, 1, 9, 4);
    close(server);
}

static void test_freed_with_pending_queries(World *world, gconstpointer data)
{
    int servers[2];
    use_servers(world, 2, servers);
    for (guint i = 0; i < 10; i++)
        ask(world, i, "example.com");
    receive(world, servers[1]);
    close(servers[0]);
    close(servers[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD_WAITING(name, function, msec)                                                          \
    g_test_add("/net/dns/" name, World, GUINT_TO_POINTER(msec), setup, function, teardown)
#define ADD(name, function) ADD_WAITING(name, function, FOR_EVER_MSEC)
    ADD("forwards-queries", test_forwards_queries);
    ADD("huge-answer", test_huge_answer);
    ADD("ids-are-random", test_ids_are_random);
    ADD_WAITING("next-server-after-a-while", test_next_server_after_a_while, A_WHILE_MSEC);
    ADD_WAITING("late-answer-is-accepted", test_late_answer_is_accepted, A_WHILE_MSEC);
    ADD("next-server-after-icmp-error", test_next_server_after_icmp_error);
    ADD("next-server-after-servfail", test_next_server_after_servfail);
    ADD("servfail-of-all-is-passed-on", test_servfail_of_all_is_passed_on);
    ADD("all-servers-unreachable", test_all_servers_unreachable);
    ADD_WAITING("silence-ends-in-failure", test_silence_ends_in_failure, BRIEFLY_MSEC);
    ADD("no-servers", test_no_servers);
    ADD("local-names-need-no-server", test_local_names_need_no_server);
    ADD("spoofed-answers-are-ignored", test_spoofed_answers_are_ignored);
    ADD("servers-change-at-any-time", test_servers_change_at_any_time);
    ADD("ipv6-server", test_ipv6_server);
    ADD_WAITING("server-for-tcp", test_server_for_tcp, A_WHILE_MSEC);
    ADD("repeated-query-is-sent-once", test_repeated_query_is_sent_once);
    ADD_WAITING("flood-is-bounded", test_flood_is_bounded, A_WHILE_MSEC);
    ADD("invalid-queries-are-dropped", test_invalid_queries_are_dropped);
    ADD_WAITING("freed-with-pending-queries", test_freed_with_pending_queries, BRIEFLY_MSEC);
    return g_test_run();
}

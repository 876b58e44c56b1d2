/* SPDX-License-Identifier: MIT
 *
 * Answers are put into the socket before the requests, whose sequence numbers are predictable; then
 * the real kernel answers.
 */
#include "netlink/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 77

enum { DATA_MESSAGE = 100 }; /* not one of netlink's own types */

typedef struct {
    Netlink netlink;
    int kernel;
    GString *received; /* a letter for each message; "|" where a try begins */
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    int fds[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==,
                    0);
    fixture->netlink = (Netlink){.fd = fds[0], .port = PORT};
    fixture->kernel = fds[1];
    fixture->received = g_string_new(NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    close(fixture->netlink.fd);
    close(fixture->kernel);
    g_string_free(fixture->received, TRUE);
}

static void begin(void *data)
{
    g_string_append_c(data, '|');
}

static void on_message(void *data, const struct nlmsghdr *header)
{
    g_assert_cmpuint(header->nlmsg_len, ==, NLMSG_LENGTH(1));
    g_string_append_c(data, *(const char *)NLMSG_DATA(header));
}

static const NetlinkDump dump = {begin, on_message};

/* --- the kernel's side --- */

typedef struct {
    guint16 type, flags;
    guint32 sequence, port;
    const void *payload;
    gsize size;
} Message;

static gsize write_message(guint8 *to, const Message *message)
{
    struct nlmsghdr header = {.nlmsg_len = (guint32)NLMSG_LENGTH(message->size),
                              .nlmsg_type = message->type,
                              .nlmsg_flags = message->flags,
                              .nlmsg_seq = message->sequence,
                              .nlmsg_pid = message->port};
    memset(to, 0, NLMSG_SPACE(message->size));
    memcpy(to, &header, sizeof(header));
    if (message->size > 0)
        memcpy(to + NLMSG_HDRLEN, message->payload, message->size);
    return NLMSG_SPACE(message->size);
}

static void answer(Fixture *fixture, const Message *messages, gsize count)
{
    guint8 bytes[512];
    gsize size = 0;
    for (gsize i = 0; i < count; i++)
        size += write_message(bytes + size, &messages[i]);
    g_assert_cmpint(send(fixture->kernel, bytes, size, 0), ==, (gssize)size);
}

/* One datagram for each letter: "abc" are messages of a dump, "." is its end, "i" marks it
 * interrupted, "e" is an ERROR with EIO, "E" a DONE with it, "o" an overrun, "n" a NOOP. */
static void answer_dump(Fixture *fixture, guint32 sequence, const char *letters)
{
    static const int problem = -EIO, good = 0;
    for (const char *at = letters; *at != '\0'; at++) {
        Message message = {DATA_MESSAGE, NLM_F_MULTI, sequence, PORT, at, 1};
        if (*at == '.')
            message = (Message){NLMSG_DONE, NLM_F_MULTI, sequence, PORT, &good, sizeof(good)};
        else if (*at == 'E')
            message = (Message){NLMSG_DONE, NLM_F_MULTI, sequence, PORT, &problem, sizeof(problem)};
        else if (*at == 'e')
            message = (Message){NLMSG_ERROR, 0, sequence, PORT, &problem, sizeof(problem)};
        else if (*at == 'i')
            message.flags |= NLM_F_DUMP_INTR;
        else if (*at == 'o')
            message.type = NLMSG_OVERRUN;
        else if (*at == 'n')
            message.type = NLMSG_NOOP;
        answer(fixture, &message, 1);
    }
}

static int ask(Fixture *fixture)
{
    struct nlmsghdr question = {.nlmsg_len = sizeof(question), .nlmsg_type = DATA_MESSAGE};
    return netlink_dump(&fixture->netlink, &question, &dump, fixture->received);
}

/* --- dumps --- */

static void test_complete_dump(Fixture *fixture, gconstpointer data)
{
    answer_dump(fixture, 1, "anbc.");
    g_assert_cmpint(ask(fixture), ==, 0);
    g_assert_cmpstr(fixture->received->str, ==, "|abc");

    struct nlmsghdr asked;
    g_assert_cmpint(recv(fixture->kernel, &asked, sizeof(asked), 0), ==, sizeof(asked));
    g_assert_cmphex(asked.nlmsg_flags, ==, NLM_F_REQUEST | NLM_F_DUMP);
    g_assert_cmpuint(asked.nlmsg_seq, ==, 1);
}

static void test_many_messages_in_a_datagram(Fixture *fixture, gconstpointer data)
{
    const Message messages[] = {{DATA_MESSAGE, NLM_F_MULTI, 1, PORT, "a", 1},
                                {DATA_MESSAGE, NLM_F_MULTI, 1, PORT, "b", 1},
                                {NLMSG_DONE, NLM_F_MULTI, 1, PORT, NULL, 0}};
    answer(fixture, messages, G_N_ELEMENTS(messages));
    g_assert_cmpint(ask(fixture), ==, 0);
    g_assert_cmpstr(fixture->received->str, ==, "|ab");
}

static void test_interrupted_dump_is_retried(Fixture *fixture, gconstpointer data)
{
    answer_dump(fixture, 1, "ai");
    answer_dump(fixture, 1, "z."); /* the rest of the first */
    answer_dump(fixture, 2, "bo");
    answer_dump(fixture, 3, "cd.");
    g_assert_cmpint(ask(fixture), ==, 0);
    g_assert_cmpstr(fixture->received->str, ==, "|a|b|cd");
}

static void test_marked_done_is_incomplete(Fixture *fixture, gconstpointer data)
{
    const Message marked = {NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 1, PORT, NULL, 0};
    answer_dump(fixture, 1, "a");
    answer(fixture, &marked, 1);
    answer_dump(fixture, 2, "b.");
    g_assert_cmpint(ask(fixture), ==, 0);
    g_assert_cmpstr(fixture->received->str, ==, "|a|b");
}

static void test_retries_are_bounded(Fixture *fixture, gconstpointer data)
{
    for (guint32 i = 1; i <= NETLINK_TRIES; i++)
        answer_dump(fixture, i, "i");
    g_assert_cmpint(ask(fixture), ==, -EINTR);
    g_assert_cmpstr(fixture->received->str, ==, "||||||||");
}

/* The socket is non-blocking here: an empty one fails as SO_RCVTIMEO would make it. */
static void test_a_dump_without_an_end(Fixture *fixture, gconstpointer data)
{
    answer_dump(fixture, 1, "ab");
    g_assert_cmpint(ask(fixture), ==, -EINTR);
}

static void test_an_error_is_an_error(Fixture *fixture, gconstpointer data)
{
    answer_dump(fixture, 1, "ae");
    g_assert_cmpint(ask(fixture), ==, -EIO);
    answer_dump(fixture, 2, "aE");
    g_assert_cmpint(ask(fixture), ==, -EIO);
    const Message empty = {NLMSG_ERROR, 0, 3, PORT, NULL, 0};
    answer(fixture, &empty, 1);
    g_assert_cmpint(ask(fixture), ==, -EPROTO);
}

static void test_other_answers_are_skipped(Fixture *fixture, gconstpointer data)
{
    static const int problem = -EIO;
    const Message others[] = {{DATA_MESSAGE, 0, 9, PORT, "x", 1},
                              {DATA_MESSAGE, 0, 1, PORT + 1, "y", 1},
                              {NLMSG_DONE, 0, 0, PORT, NULL, 0},
                              {NLMSG_ERROR, 0, 1, 0, &problem, sizeof(problem)}};
    answer(fixture, others, G_N_ELEMENTS(others));
    answer_dump(fixture, 1, "a.");
    g_assert_cmpint(ask(fixture), ==, 0);
    g_assert_cmpstr(fixture->received->str, ==, "|a");
}

static void test_invalid_lengths(Fixture *fixture, gconstpointer data)
{
    static const guint32 lengths[] = {0, 1, sizeof(struct nlmsghdr) - 1,
                                      sizeof(struct nlmsghdr) + 1, G_MAXUINT32};
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        const struct nlmsghdr header = {.nlmsg_len = lengths[i],
                                        .nlmsg_type = DATA_MESSAGE,
                                        .nlmsg_seq = fixture->netlink.sequence + 1,
                                        .nlmsg_pid = PORT};
        send(fixture->kernel, &header, sizeof(header), 0);
        g_assert_cmpint(ask(fixture), ==, -EPROTO);
    }
    g_assert_cmpint(send(fixture->kernel, "short", 5, 0), ==, 5);
    g_assert_cmpint(ask(fixture), ==, -EPROTO);
    g_assert_cmpstr(fixture->received->str, ==, "||||||");
}

static void test_truncated_datagram(Fixture *fixture, gconstpointer data)
{
    g_autofree guint8 *large = g_malloc0(40000);
    g_assert_cmpint(send(fixture->kernel, large, 40000, 0), ==, 40000);
    g_assert_cmpint(ask(fixture), ==, -EMSGSIZE);
}

static void test_closed_peer(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(shutdown(fixture->kernel, SHUT_WR), ==, 0);
    g_assert_cmpint(ask(fixture), ==, -EIO);
}

static void test_a_request(Fixture *fixture, gconstpointer data)
{
    static const int problem = -EEXIST, good = 0;
    const Message answers[] = {{NLMSG_ERROR, 0, 1, PORT, &good, sizeof(good)},
                               {NLMSG_ERROR, 0, 2, PORT, &problem, sizeof(problem)}};
    struct nlmsghdr question = {.nlmsg_len = sizeof(question), .nlmsg_type = DATA_MESSAGE};
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++)
        answer(fixture, &answers[i], 1);
    g_assert_cmpint(netlink_request(&fixture->netlink, &question), ==, 0);
    g_assert_cmpint(netlink_request(&fixture->netlink, &question), ==, -EEXIST);
    g_assert_cmphex(question.nlmsg_flags, ==, NLM_F_REQUEST | NLM_F_ACK);
}

/* --- attributes --- */

static void test_attributes(void)
{
    union {
        struct nlmsghdr header;
        char bytes[40];
    } message = {.header.nlmsg_len = NLMSG_LENGTH(0)};
    g_assert_true(netlink_put(&message.header, sizeof(message), 3, "abc", 3));
    g_assert_true(netlink_put(&message.header, sizeof(message), 4 | NLA_F_NESTED, NULL, 0));
    g_assert_false(netlink_put(&message.header, sizeof(message), 5, "123456789", 9));
    g_assert_cmpuint(message.header.nlmsg_len, ==, 28);

    NetlinkAttributes at = netlink_message_attributes(&message.header, 0);
    g_assert_true(netlink_attribute(&at));
    g_assert_cmpuint(at.type, ==, 3);
    g_assert_cmpmem(at.value, at.size, "abc", 3);
    g_assert_true(netlink_attribute(&at));
    g_assert_cmpuint(at.type, ==, 4);
    g_assert_cmpuint(at.size, ==, 0);
    g_assert_false(netlink_attribute(&at));
    at = netlink_message_attributes(&message.header, 100);
    g_assert_false(netlink_attribute(&at));
}

static void test_invalid_attributes(void)
{
    static const struct {
        guint16 length;
        gsize size;
    } rows[] = {{0, 8}, {3, 8}, {9, 8}, {G_MAXUINT16, 8}, {4, 3}, {4, 0}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        guint8 bytes[8] = {0};
        memcpy(bytes, &rows[i].length, 2);
        NetlinkAttributes at = netlink_attributes(bytes, rows[i].size);
        g_assert_false(netlink_attribute(&at));
    }
    guint8 unpadded[5] = {5, 0, 1, 0, 'x'};
    NetlinkAttributes at = netlink_attributes(unpadded, sizeof(unpadded));
    g_assert_true(netlink_attribute(&at));
    g_assert_cmpmem(at.value, at.size, "x", 1);
    g_assert_false(netlink_attribute(&at));
}

/* --- the kernel itself --- */

static void begin_links(void *data)
{
    *(guint *)data = 0;
}

static void on_link(void *data, const struct nlmsghdr *header)
{
    NetlinkAttributes at = netlink_message_attributes(header, sizeof(struct ifinfomsg));
    while (netlink_attribute(&at))
        if (at.type == IFLA_IFNAME && strcmp((const char *)at.value, "lo") == 0)
            (*(guint *)data)++;
}

static void test_the_real_kernel(void)
{
    static const NetlinkDump links = {begin_links, on_link};
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
    } question = {.header = {.nlmsg_len = sizeof(question), .nlmsg_type = RTM_GETLINK}};
    Netlink netlink;
    guint found = 0;
    g_assert_cmpint(netlink_open(&netlink, NETLINK_ROUTE, 0), ==, 0);
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(netlink_dump(&netlink, &question.header, &links, &found), ==, 0);
        g_assert_cmpuint(found, ==, 1);
    }
    question.header.nlmsg_type = RTM_DELLINK; /* a link that does not exist */
    question.header.nlmsg_flags = 0;
    g_assert_cmpint(netlink_request(&netlink, &question.header), <, 0);
    netlink_drain(netlink.fd);
    close(netlink.fd);
}

#define CASE(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/netlink/dump/complete", test_complete_dump);
    CASE("/netlink/dump/one-datagram", test_many_messages_in_a_datagram);
    CASE("/netlink/dump/interrupted", test_interrupted_dump_is_retried);
    CASE("/netlink/dump/marked-at-the-end", test_marked_done_is_incomplete);
    CASE("/netlink/dump/retries", test_retries_are_bounded);
    CASE("/netlink/dump/no-end", test_a_dump_without_an_end);
    CASE("/netlink/dump/error", test_an_error_is_an_error);
    CASE("/netlink/dump/others", test_other_answers_are_skipped);
    CASE("/netlink/dump/lengths", test_invalid_lengths);
    CASE("/netlink/dump/truncated", test_truncated_datagram);
    CASE("/netlink/dump/closed", test_closed_peer);
    CASE("/netlink/request", test_a_request);
    g_test_add_func("/netlink/attributes", test_attributes);
    g_test_add_func("/netlink/attributes/invalid", test_invalid_attributes);
    g_test_add_func("/netlink/kernel", test_the_real_kernel);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT */
#include "net/dns_message.h"

#include "../lib/dns_query.h"

static void test_question(void)
{
    guint8 query[DNS_QUERY_MAX];
    BerthDnsMessage message;
    gsize size = make_query(query, 0x1234, "WWW.Example-1.com", 65);
    g_assert_true(berth_dns_message_parse(query, size, &message));
    g_assert_cmphex(message.id, ==, 0x1234);
    g_assert_false(message.response);
    g_assert_cmpuint(message.questions, ==, 1);
    g_assert_cmpuint(message.question_size, ==, size - 12);
    g_assert_cmpuint(message.type, ==, 65);
    g_assert_cmpuint(message.class, ==, 1);
    g_assert_cmpstr(message.name, ==, "www.example-1.com");
    g_assert_false(message.extended);

    size = make_extended_query(query, 1, "a.b", 1);
    g_assert_true(berth_dns_message_parse(query, size, &message));
    g_assert_true(message.extended);

    size = make_query(query, 1, "", 2); /* the root */
    g_assert_true(berth_dns_message_parse(query, size, &message));
    g_assert_cmpuint(message.question_size, ==, 5);
    g_assert_cmpstr(message.name, ==, "");
}

static void test_every_cut(void)
{
    guint8 query[DNS_QUERY_MAX];
    BerthDnsMessage message;
    gsize size = make_query(query, 1, "www.example.com", 1);
    for (gsize cut = 0; cut < size; cut++) {
        g_autofree guint8 *part = g_memdup2(query, cut);
        g_assert_true(berth_dns_message_parse(part, cut, &message) == (cut >= 12));
        g_assert_cmpuint(message.question_size, ==, 0);
    }
}

static void test_invalid_names(void)
{
    guint8 query[DNS_QUERY_MAX] = {[5] = 1};
    BerthDnsMessage message;
    /* a pointer, also to itself */
    query[12] = 0xc0;
    query[13] = 12;
    g_assert_true(berth_dns_message_parse(query, 30, &message));
    g_assert_cmpuint(message.question_size, ==, 0);
    /* a label of another kind */
    query[12] = 0x41;
    g_assert_true(berth_dns_message_parse(query, 100, &message));
    g_assert_cmpuint(message.question_size, ==, 0);
    /* longer than a name may be */
    for (guint i = 0; i < 300; i++)
        query[12 + i] = i % 2 == 0 ? 1 : 'a';
    g_assert_true(berth_dns_message_parse(query, 330, &message));
    g_assert_cmpuint(message.question_size, ==, 0);
}

static void test_longest_name(void)
{
    guint8 query[DNS_QUERY_MAX], made[BERTH_DNS_MADE_MAX];
    BerthDnsMessage message;
    g_autoptr(GString) name = g_string_new(NULL);
    for (guint i = 0; i < 127; i++)
        g_string_append(name, i == 0 ? "a" : ".b");
    gsize size = make_extended_query(query, 1, name->str, 1);
    g_assert_true(berth_dns_message_parse(query, size, &message));
    g_assert_cmpstr(message.name, ==, name->str);
    g_assert_cmpuint(message.question_size, ==, 255 + 4);
    g_assert_cmpuint(berth_dns_message_answer_address(query, &message, (guint8[16]){0}, 16, made),
                     <=, BERTH_DNS_MADE_MAX);
    g_assert_cmpuint(berth_dns_message_answer_name(query, &message, name->str, made), <=,
                     BERTH_DNS_MADE_MAX);
}

static void test_odd_bytes_in_a_name(void)
{
    guint8 query[DNS_QUERY_MAX];
    BerthDnsMessage message;
    gsize size = make_query(query, 1, "a", 1);
    query[13] = '.';
    g_assert_true(berth_dns_message_parse(query, size, &message));
    g_assert_cmpstr(message.name, ==, "?");
    query[13] = 0;
    g_assert_true(berth_dns_message_parse(query, size, &message));
    g_assert_cmpstr(message.name, ==, "?");
}

static bool same(const char *left, guint left_type, const char *right, guint right_type)
{
    guint8 a[DNS_QUERY_MAX], b[DNS_QUERY_MAX];
    BerthDnsMessage a_message, b_message;
    berth_dns_message_parse(a, make_query(a, 1, left, left_type), &a_message);
    berth_dns_message_parse(b, make_query(b, 2, right, right_type), &b_message);
    return berth_dns_message_same_question(a, &a_message, b, &b_message);
}

static void test_same_question(void)
{
    g_assert_true(same("www.example.com", 1, "WWW.eXample.com", 1));
    g_assert_false(same("www.example.com", 1, "www.example.com", 28));
    g_assert_false(same("www.example.com", 65, "www.example.com", 97)); /* 'A' and 'a' */
    g_assert_false(same("www.example.com", 1, "www.example.net", 1));
    g_assert_false(same("a.bc", 1, "ab.c", 1));
}

static void test_answers(void)
{
    guint8 query[DNS_QUERY_MAX], made[BERTH_DNS_MADE_MAX];
    BerthDnsMessage message;
    berth_dns_message_parse(query, make_extended_query(query, 7, "a.b", 1), &message);
    gsize size = berth_dns_message_answer_address(query, &message, (guint8[]){1, 2, 3, 4}, 4, made);
    const guint8 expected[] = {
        0,    7,  0x81, 0x80,      0,          1, 0, 1, 0, 0, 0, 1, 1, 'a', 1, 'b',
        0,    0,  1,    0,         1,                                             /* header */
        0xc0, 12, 0,    1,         0,          1, 0, 0, 0, 1, 0, 4, 1, 2,   3, 4, /* A */
        0,    0,  41,   1232 >> 8, 1232 & 255, 0, 0, 0, 0, 0, 0,                  /* OPT */
    };
    g_assert_cmpmem(made, size, expected, sizeof(expected));

    berth_dns_message_parse(query, make_query(query, 7, "a.b", 1), &message);
    size = berth_dns_message_refuse(query, &message, BERTH_DNS_NXDOMAIN, made);
    g_assert_cmpuint(size, ==, 21);
    g_assert_cmpuint(get_u16(made + 2), ==, 0x8183);
    g_assert_cmpuint(get_u16(made + 6), ==, 0);

    size = berth_dns_message_truncate(query, &message, made);
    g_assert_cmpuint(size, ==, 21);
    g_assert_cmpuint(get_u16(made + 2), ==, 0x8380);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/dns_message/question", test_question);
    g_test_add_func("/net/dns_message/every-cut", test_every_cut);
    g_test_add_func("/net/dns_message/invalid-names", test_invalid_names);
    g_test_add_func("/net/dns_message/longest-name", test_longest_name);
    g_test_add_func("/net/dns_message/odd-bytes-in-a-name", test_odd_bytes_in_a_name);
    g_test_add_func("/net/dns_message/same-question", test_same_question);
    g_test_add_func("/net/dns_message/answers", test_answers);
    return g_test_run();
}

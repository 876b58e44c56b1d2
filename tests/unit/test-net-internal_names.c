/* SPDX-License-Identifier: MIT */
#include "net/internal_names.h"

#include "net/dns_message.h"
#include "../lib/dns_query.h"

enum { A = 1, PTR = 12, TXT = 16, AAAA = 28, ANY = 255 };

static const guint8 prefix[16] = {0xfd, 0x12, 0x34};

static void set_up(BerthInternalNames *names)
{
    memset(names, 0, sizeof(*names));
    memcpy(names->prefix, prefix, sizeof(prefix));
    g_assert_true(berth_internal_names_set(names, 1, "Debian.12"));
    g_assert_true(berth_internal_names_set(names, 254, "web_1"));
}

/* The answer as text: "-" if it must be forwarded, or the code and the first record's data. */
static char *ask(const BerthInternalNames *names, const char *name, guint type)
{
    guint8 query[DNS_QUERY_MAX], made[BERTH_DNS_MADE_MAX];
    gsize size = make_query(query, 9, name, type);
    gsize answer = berth_internal_names_answer(names, query, size, made);
    if (answer == 0)
        return g_strdup("-");
    g_assert_cmpuint(get_u16(made), ==, 9);
    if (get_u16(made + 6) == 0)
        return g_strdup_printf("%u", made[3] & 15u);

    const guint8 *record = made + size;
    gsize length = get_u16(record + 10);
    g_assert_cmpuint(size + 12 + length, ==, answer);
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "%u:", get_u16(record + 2));
    for (gsize i = 0; i < length; i++) {
        guint8 byte = record[12 + i];
        g_string_append_printf(
            text, g_ascii_isgraph(byte) && get_u16(record + 2) == PTR ? "%c" : "<%u>", byte);
    }
    return g_string_free(text, FALSE);
}

static void test_answers(void)
{
    static const struct {
        const char *name;
        guint type;
        const char *answer;
    } cases[] = {
        {"host.berth.internal", A, "1:<10><0><2><2>"},
        {"HOST.Berth.INTERNAL", ANY, "1:<10><0><2><2>"},
        {"host.berth.internal", TXT, "0"},
        {"debian.12.berth.internal", A, "1:<198><19><255><1>"},
        {"DEBIAN.12.berth.internal", A, "1:<198><19><255><1>"},
        {"web_1.berth.internal", A, "1:<198><19><255><254>"},
        {"web_1.berth.internal", AAAA, "0"},
        {"web-1.berth.internal", A, "3"},
        {"12.berth.internal", A, "3"},
        {"x.web_1.berth.internal", A, "3"},
        {"nobody.berth.internal", AAAA, "3"},
        {"?.berth.internal", A, "3"},
        {"berth.internal", A, "0"},
        {"internal", A, "-"},
        {"notberth.internal", A, "-"},
        {"host.berth.internal.com", A, "-"},
        {"host.berth.intern", A, "-"},
        {"", A, "-"},
        {"www.example.com", A, "-"},
        {"1.255.19.198.in-addr.arpa", PTR, "12:<6>Debian<2>12<5>berth<8>internal<0>"},
        {"254.255.19.198.IN-ADDR.arpa", PTR, "12:<5>web_1<5>berth<8>internal<0>"},
        {"254.255.19.198.in-addr.arpa", A, "0"},
        {"2.255.19.198.in-addr.arpa", PTR, "3"},
        {"0.255.19.198.in-addr.arpa", PTR, "3"},
        {"255.255.19.198.in-addr.arpa", PTR, "3"},
        {"2.2.0.10.in-addr.arpa", PTR, "12:<4>host<5>berth<8>internal<0>"},
        {"3.2.0.10.in-addr.arpa", PTR, "-"},
        {"1.4.0.10.in-addr.arpa", PTR, "-"},
        {"01.255.19.198.in-addr.arpa", PTR, "-"},
        {"255.19.198.in-addr.arpa", PTR, "-"},
        {"999.255.19.198.in-addr.arpa", PTR, "-"},
    };
    g_autofree BerthInternalNames *names = g_new0(BerthInternalNames, 1);
    set_up(names);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *answer = ask(names, cases[i].name, cases[i].type);

        g_test_message("%s", cases[i].name);
        g_assert_cmpstr(answer, ==, cases[i].answer);
    }
}

static void test_ipv6_of_the_host(void)
{
    g_autofree BerthInternalNames *names = g_new0(BerthInternalNames, 1);
    g_autofree char *none = ask(names, "host.berth.internal", AAAA);
    g_assert_cmpstr(none, ==, "0");
    set_up(names);
    g_autofree char *answer = ask(names, "host.berth.internal", AAAA);
    g_assert_cmpstr(answer, ==, "28:<253><18><52><0><0><0><0><0><0><0><0><0><0><0><0><2>");
}

static void test_names_can_be_removed(void)
{
    g_autofree BerthInternalNames *names = g_new0(BerthInternalNames, 1);
    set_up(names);
    g_assert_true(berth_internal_names_set(names, 1, ""));
    g_autofree char *answer = ask(names, "debian.12.berth.internal", A);
    g_assert_cmpstr(answer, ==, "3");
    g_autofree char *reverse = ask(names, "1.255.19.198.in-addr.arpa", PTR);
    g_assert_cmpstr(reverse, ==, "3");
}

static void test_invalid_names(void)
{
    g_autofree BerthInternalNames *names = g_new0(BerthInternalNames, 1);
    g_autofree char *longest = g_strnfill(63, 'a');
    g_autofree char *longer = g_strnfill(64, 'a');
    g_assert_false(berth_internal_names_set(names, 0, "a"));
    g_assert_false(berth_internal_names_set(names, 255, "a"));
    g_assert_true(berth_internal_names_set(names, 254, longest));
    g_assert_false(berth_internal_names_set(names, 254, longer));
}

static void test_other_messages_are_not_answered(void)
{
    g_autofree BerthInternalNames *names = g_new0(BerthInternalNames, 1);
    guint8 query[DNS_QUERY_MAX], made[BERTH_DNS_MADE_MAX];
    gsize size = make_query(query, 1, "host.berth.internal", A);
    query[2] |= 0x80; /* a response */
    g_assert_cmpuint(berth_internal_names_answer(names, query, size, made), ==, 0);
    query[2] = 0x28; /* an update */
    g_assert_cmpuint(berth_internal_names_answer(names, query, size, made), ==, 0);
    query[2] = 1;
    query[size - 1] = 3; /* class CH */
    g_assert_cmpuint(berth_internal_names_answer(names, query, size, made), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/names/answers", test_answers);
    g_test_add_func("/net/names/ipv6-of-the-host", test_ipv6_of_the_host);
    g_test_add_func("/net/names/names-can-be-removed", test_names_can_be_removed);
    g_test_add_func("/net/names/invalid-names", test_invalid_names);
    g_test_add_func("/net/names/other-messages-are-not-answered",
                    test_other_messages_are_not_answered);
    return g_test_run();
}

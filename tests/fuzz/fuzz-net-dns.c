/* SPDX-License-Identifier: MIT
 *
 * A DNS message from the guest or the network, raw and behind a header that makes it resemble a
 * query: the parser stays within it; an answer fits, matches and parses; the system's own parser
 * agrees about names.
 */
#include "fuzz.h"
#include "net/datagram.h"
#include "net/dns_message.h"
#include "net/internal_names.h"

#include <glib.h>
#include <resolv.h>
#include <string.h>

/* As in dns_message: lower case, and '?' for bytes other than letters, digits, '-' and '_'. */
static void check_name(const uint8_t *data, size_t size, const BerthDnsMessage *message)
{
    uint8_t wire[256];
    int taken = ns_name_unpack(data, data + size, data + 12, wire, sizeof(wire));
    bool pointer = taken < 0 || data[12 + taken - 1] != 0;
    if (message->question_size == 0)
        return;
    g_assert_false(pointer);
    g_assert_cmpuint(message->question_size, ==, (gsize)taken + 4);

    GString *text = g_string_new(NULL);
    for (const uint8_t *label = wire; *label != 0; label += *label + 1) {
        if (text->len > 0)
            g_string_append_c(text, '.');
        for (guint i = 1; i <= *label; i++) {
            char lower = g_ascii_tolower((char)label[i]);
            bool plain = g_ascii_isalnum(lower) || lower == '-' || lower == '_';
            g_string_append_c(text, plain ? lower : '?');
        }
    }
    g_assert_cmpstr(text->str, ==, message->name);
    g_string_free(text, TRUE);
}

static void check_made(const uint8_t *query, const BerthDnsMessage *message, const guint8 *made,
                       gsize size)
{
    BerthDnsMessage again;
    g_assert_cmpuint(size, <=, BERTH_DNS_MADE_MAX);
    g_autofree guint8 *exact = g_memdup2(made, size);
    g_assert_true(berth_dns_message_parse(exact, size, &again));
    g_assert_true(again.response);
    g_assert_cmpuint(again.id, ==, message->id);
    if (message->question_size > 0)
        g_assert_true(berth_dns_message_same_question(query, message, exact, &again));
}

static void check(const uint8_t *data, size_t size, const BerthInternalNames *names)
{
    guint8 made[BERTH_DNS_MADE_MAX];
    BerthDnsMessage message;
    if (!berth_dns_message_parse(data, size, &message)) {
        g_assert_cmpuint(size, <, 12);
        return;
    }
    g_assert_cmpuint(12 + message.question_size, <=, size);
    check_name(data, size, &message);
    check_made(data, &message, made,
               berth_dns_message_refuse(data, &message, BERTH_DNS_SERVFAIL, made));
    check_made(data, &message, made, berth_dns_message_truncate(data, &message, made));
    check_made(data, &message, made,
               berth_dns_message_answer_name(data, &message, message.name, made));
    gsize answer = berth_internal_names_answer(names, data, size, made);
    if (answer > 0)
        check_made(data, &message, made, answer);
}

static void check_frame(const uint8_t *data, size_t size)
{
    BerthDatagram datagram;
    guint8 made[BERTH_DATAGRAM_HEADERS_MAX + 256];
    if (!berth_datagram_parse(data, size, &datagram))
        return;
    g_assert_true(datagram.data >= data && datagram.data + datagram.size <= data + size);
    if (datagram.size > 256)
        return;
    /* parse an answer as if it came from the guest: the two ends are swapped */
    BerthDatagram again;
    gsize made_size = berth_datagram_answer(&datagram.ends, datagram.data, datagram.size, made);
    g_assert_true(berth_datagram_parse(made, made_size, &again));
    g_assert_cmpmem(again.data, again.size, datagram.data, datagram.size);
    g_assert_cmpmem(again.ends.guest, 16, datagram.ends.ours, 16);
    g_assert_cmpuint(again.ends.guest_port, ==, datagram.ends.our_port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t header[12] = {1, 2, 1, 0, 0, 1};
    static const uint8_t domain[] = "\5berth\10internal\0\0\1\0\1";
    g_autofree BerthInternalNames *names = g_new0(BerthInternalNames, 1);
    berth_internal_names_set(names, 3, "debian");
    g_autofree uint8_t *exact = g_memdup2(data, size);
    check(exact, size, names);
    check_frame(exact, size);

    g_autofree uint8_t *question = g_malloc(size + sizeof(header) + sizeof(domain));
    memcpy(question, header, sizeof(header));
    memcpy(question + sizeof(header), data, size);
    check(question, sizeof(header) + size, names);
    memcpy(question + sizeof(header) + size, domain, sizeof(domain) - 1);
    check(question, sizeof(header) + size + sizeof(domain) - 1, names);
    return 0;
}

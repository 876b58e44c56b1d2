/* SPDX-License-Identifier: MIT */
#include "dns_message.h"

#include "bytes.h"

#include <string.h>

#define LABEL_MAX     63u
#define WIRE_NAME_MAX 255u /* in a message */
#define TYPE_OPT      41u
#define CLASS_IN      1u
#define OPT_SIZE      11u
#define OPT_PAYLOAD   1232u /* largest UDP payload we announce in OPT */
#define TTL_SEC       1u    /* short, since distros come and go */

#define FLAG_RESPONSE  0x8000u
#define FLAG_OPCODE    0x7800u
#define FLAG_TRUNCATED 0x0200u
#define FLAG_DESIRED   0x0100u /* recursion */
#define FLAG_AVAILABLE 0x0080u

/* --- parsing --- */

static char letter(guint8 byte)
{
    char lower = g_ascii_tolower((gchar)byte);
    return g_ascii_isalnum(lower) || lower == '-' || lower == '_' ? lower : '?';
}

/* Parse an uncompressed name; returns its wire size, or 0 when it is not one. Sets @ret_text. */
static gsize parse_name(const guint8 *bytes, gsize size, char ret_text[BERTH_DNS_NAME_MAX])
{
    gsize at = 0, length = 0;
    while (at < size && bytes[at] != 0) {
        gsize label = bytes[at++];
        if (label > LABEL_MAX || label > size - at || at + label >= WIRE_NAME_MAX)
            return 0;
        if (length > 0)
            ret_text[length++] = '.';
        for (gsize i = 0; i < label; i++)
            ret_text[length++] = letter(bytes[at + i]);
        at += label;
    }
    ret_text[length] = '\0';
    return at < size ? at + 1 : 0;
}

static void parse_question(const guint8 *bytes, gsize size, BerthDnsMessage *message)
{
    gsize name = parse_name(bytes, size, message->name);
    if (name == 0 || size - name < 4) {
        message->name[0] = '\0';
        return;
    }
    message->question_size = name + 4;
    message->type = berth_bytes_get_u16(bytes + name);
    message->class = berth_bytes_get_u16(bytes + name + 2);

    const guint8 *next = bytes + message->question_size;
    message->extended = size - message->question_size >= OPT_SIZE && next[0] == 0 &&
                        berth_bytes_get_u16(next + 1) == TYPE_OPT;
}

bool berth_dns_message_parse(const guint8 *bytes, gsize size, BerthDnsMessage *ret_message)
{
    *ret_message = (BerthDnsMessage){0};
    if (size < BERTH_DNS_HEADER_SIZE)
        return false;
    guint16 flags = berth_bytes_get_u16(bytes + 2);
    ret_message->id = berth_bytes_get_u16(bytes);
    ret_message->response = (flags & FLAG_RESPONSE) != 0;
    ret_message->truncated = (flags & FLAG_TRUNCATED) != 0;
    ret_message->opcode = (guint8)((flags & FLAG_OPCODE) >> 11);
    ret_message->code = flags & 0x0f;
    ret_message->questions = berth_bytes_get_u16(bytes + 4);
    if (ret_message->questions == 1)
        parse_question(bytes + BERTH_DNS_HEADER_SIZE, size - BERTH_DNS_HEADER_SIZE, ret_message);
    return true;
}

bool berth_dns_message_same_question(const guint8 *left, const BerthDnsMessage *left_message,
                                     const guint8 *right, const BerthDnsMessage *right_message)
{
    gsize size = left_message->question_size;
    if (size == 0 || size != right_message->question_size ||
        left_message->type != right_message->type || left_message->class != right_message->class)
        return false;
    for (gsize i = BERTH_DNS_HEADER_SIZE; i < BERTH_DNS_HEADER_SIZE + size - 4; i++)
        if (g_ascii_tolower((gchar)left[i]) != g_ascii_tolower((gchar)right[i]))
            return false;
    return true;
}

/* --- building answers --- */

/* Write header and question; returns the size. */
static gsize start_answer(const guint8 *query, const BerthDnsMessage *message, guint flags,
                          guint8 *bytes)
{
    memset(bytes, 0, BERTH_DNS_HEADER_SIZE);
    memcpy(bytes, query, 2);
    guint kept = berth_bytes_get_u16(query + 2) & (FLAG_OPCODE | FLAG_DESIRED);
    berth_bytes_put_u16(bytes + 2, FLAG_RESPONSE | FLAG_AVAILABLE | kept | flags);
    if (message->question_size == 0)
        return BERTH_DNS_HEADER_SIZE;
    berth_bytes_put_u16(bytes + 4, 1);
    memcpy(bytes + BERTH_DNS_HEADER_SIZE, query + BERTH_DNS_HEADER_SIZE, message->question_size);
    return BERTH_DNS_HEADER_SIZE + message->question_size;
}

/* Add an OPT record if the query has one: clients take an answer without OPT for one of an old
 * server and cache that. */
static gsize end_answer(const BerthDnsMessage *message, guint8 *bytes, gsize size)
{
    if (!message->extended)
        return size;
    memset(bytes + size, 0, OPT_SIZE);
    berth_bytes_put_u16(bytes + size + 1, TYPE_OPT);
    berth_bytes_put_u16(bytes + size + 3, OPT_PAYLOAD);
    berth_bytes_put_u16(bytes + 10, 1);
    return size + OPT_SIZE;
}

gsize berth_dns_message_refuse(const guint8 *query, const BerthDnsMessage *message,
                               BerthDnsCode code, guint8 *ret_bytes)
{
    return end_answer(message, ret_bytes, start_answer(query, message, code, ret_bytes));
}

gsize berth_dns_message_truncate(const guint8 *answer, const BerthDnsMessage *message,
                                 guint8 *ret_bytes)
{
    guint code = message->code;
    return end_answer(message, ret_bytes,
                      start_answer(answer, message, FLAG_TRUNCATED | code, ret_bytes));
}

static gsize add_record(guint8 *bytes, gsize at, guint type, const guint8 *data, gsize size)
{
    berth_bytes_put_u16(bytes + at, 0xc000 | BERTH_DNS_HEADER_SIZE); /* pointer to the name in the
                                                                      * question */
    berth_bytes_put_u16(bytes + at + 2, type);
    berth_bytes_put_u16(bytes + at + 4, CLASS_IN);
    berth_bytes_put_u32(bytes + at + 6, TTL_SEC);
    berth_bytes_put_u16(bytes + at + 10, (guint)size);
    memcpy(bytes + at + 12, data, size);
    berth_bytes_put_u16(bytes + 6, 1);
    return at + 12 + size;
}

gsize berth_dns_message_answer_address(const guint8 *query, const BerthDnsMessage *message,
                                       const guint8 *data, gsize size, guint8 *ret_bytes)
{
    gsize at = start_answer(query, message, 0, ret_bytes);
    at = add_record(ret_bytes, at, size == 4 ? BERTH_DNS_A : BERTH_DNS_AAAA, data, size);
    return end_answer(message, ret_bytes, at);
}

/* Encode @text as a name, truncated if too long; returns the size. */
static gsize put_name(guint8 bytes[BERTH_DNS_NAME_MAX], const char *text)
{
    gsize at = 0;
    while (*text != '\0') {
        gsize label = strcspn(text, ".");
        gsize kept = MIN(label, LABEL_MAX);
        if (at + kept + 2 > WIRE_NAME_MAX)
            break;
        bytes[at++] = (guint8)kept;
        memcpy(bytes + at, text, kept);
        at += kept;
        text += label;
        text += *text == '.';
    }
    bytes[at] = 0;
    return at + 1;
}

gsize berth_dns_message_answer_name(const guint8 *query, const BerthDnsMessage *message,
                                    const char *target, guint8 *ret_bytes)
{
    guint8 name[BERTH_DNS_NAME_MAX];
    gsize size = put_name(name, target);
    gsize at = start_answer(query, message, 0, ret_bytes);
    return end_answer(message, ret_bytes, add_record(ret_bytes, at, BERTH_DNS_PTR, name, size));
}

/* SPDX-License-Identifier: MIT
 *
 * dns_message — as much of a DNS message (RFC 1035) as a forwarder must understand: its header and
 * its question; and answers made of a question.
 *
 * Messages come from a guest or from the network and may hold anything. Pure: no allocation, no
 * I/O; nothing is read beyond the size given or written beyond BERTH_DNS_MADE_MAX.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_DNS_HEADER_SIZE 12u
#define BERTH_DNS_NAME_MAX    256u /* as text, with its end */
#define BERTH_DNS_MADE_MAX    640u /* size of an answer made here */

typedef enum {
    BERTH_DNS_A = 1,
    BERTH_DNS_PTR = 12,
    BERTH_DNS_AAAA = 28,
    BERTH_DNS_ANY = 255,
} BerthDnsType;

typedef enum {
    BERTH_DNS_OK = 0,
    BERTH_DNS_SERVFAIL = 2,
    BERTH_DNS_NXDOMAIN = 3,
    BERTH_DNS_NOTIMP = 4,
    BERTH_DNS_REFUSED = 5,
} BerthDnsCode;

typedef struct {
    guint16 id;
    bool response;
    bool truncated;
    guint8 opcode;
    guint8 code; /* BerthDnsCode, or another */
    guint16 questions;

    /* The question, when there is exactly one that can be read; else question_size is 0. */
    gsize question_size; /* bytes behind the header */
    guint16 type;
    guint16 class;
    bool extended;                 /* an OPT record follows it (RFC 6891) */
    char name[BERTH_DNS_NAME_MAX]; /* lower case, no dot at its end; what is neither letter, digit,
                                      '-' nor '_' is '?' */
} BerthDnsMessage;

/* False when there is not even a header. */
bool berth_dns_parse(const guint8 *bytes, gsize size, BerthDnsMessage *ret_message);

/* Whether the two messages, as parsed, ask the same: names are compared without case. */
bool berth_dns_same_question(const guint8 *left, const BerthDnsMessage *left_message,
                             const guint8 *right, const BerthDnsMessage *right_message);

/* An answer to @query that says @code and no more; its size. @ret_bytes has room for
 * BERTH_DNS_MADE_MAX. */
gsize berth_dns_refuse(const guint8 *query, const BerthDnsMessage *message, BerthDnsCode code,
                       guint8 *ret_bytes);

/* As above, with one record: @data is 4 bytes for A, 16 for AAAA, and @target the name for PTR. */
gsize berth_dns_answer_address(const guint8 *query, const BerthDnsMessage *message,
                               const guint8 *data, gsize size, guint8 *ret_bytes);
gsize berth_dns_answer_name(const guint8 *query, const BerthDnsMessage *message, const char *target,
                            guint8 *ret_bytes);

/* What is left of @answer for a guest it is too large for: header and question, with the bit that
 * tells it to ask by TCP. */
gsize berth_dns_truncate(const guint8 *answer, const BerthDnsMessage *message, guint8 *ret_bytes);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * dns_message — parses header and question of a DNS message (RFC 1035), as far as a forwarder
 * needs, and builds simple answers.
 *
 * Messages are untrusted. Pure: no allocation, no I/O; never reads beyond the given size nor writes
 * beyond BERTH_DNS_MADE_MAX.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_DNS_HEADER_SIZE 12u
#define BERTH_DNS_NAME_MAX    256u /* as text, with NUL */
#define BERTH_DNS_MADE_MAX    640u /* size of an answer built here */

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

    /* Set only when there is exactly one question and it parses; otherwise question_size is 0. */
    gsize question_size; /* bytes after the header */
    guint16 type;
    guint16 class;
    bool extended;                 /* has an OPT record (RFC 6891) */
    char name[BERTH_DNS_NAME_MAX]; /* lower case, no trailing dot; bytes other than letters, digits,
                                    * '-' and '_' become '?' */
} BerthDnsMessage;

/* False when the header is incomplete. */
bool berth_dns_message_parse(const guint8 *bytes, gsize size, BerthDnsMessage *ret_message);

/* Whether two parsed messages have the same question; names are compared without case. */
bool berth_dns_message_same_question(const guint8 *left, const BerthDnsMessage *left_message,
                                     const guint8 *right, const BerthDnsMessage *right_message);

/* Build an answer to @query with @code and no records; returns its size. @ret_bytes has room for
 * BERTH_DNS_MADE_MAX. */
gsize berth_dns_message_refuse(const guint8 *query, const BerthDnsMessage *message,
                               BerthDnsCode code, guint8 *ret_bytes);

/* Build an answer with one record: @data is 4 bytes for A, 16 for AAAA; @target is the name for
 * PTR. */
gsize berth_dns_message_answer_address(const guint8 *query, const BerthDnsMessage *message,
                                       const guint8 *data, gsize size, guint8 *ret_bytes);
gsize berth_dns_message_answer_name(const guint8 *query, const BerthDnsMessage *message,
                                    const char *target, guint8 *ret_bytes);

/* Truncate @answer to header and question and set TC, so that the guest retries by TCP. */
gsize berth_dns_message_truncate(const guint8 *answer, const BerthDnsMessage *message,
                                 guint8 *ret_bytes);

G_END_DECLS

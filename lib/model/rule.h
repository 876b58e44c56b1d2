/* SPDX-License-Identifier: MIT
 *
 * rule — a forward somebody asked for, in a word: which port of the host leads to which of the
 * guest.
 *
 *     8080                      the guest's port 8080 as the same of localhost
 *     3000:80                   its port 80 as 3000 of localhost
 *     127.0.0.2:3000:80         of that address of the host only
 *     [::1]:3000:80
 *     0.0.0.0:80                of every address, for the network the host is in
 *     5353/udp, udp:5353        UDP; TCP can be said, too
 *
 * A value without pointers. Ports are in host order, addresses in the network's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef enum { BERTH_TCP = 6, BERTH_UDP = 17 } BerthProtocol; /* the numbers of IP */

typedef struct {
    BerthProtocol protocol;
    guint8 family; /* of the host's address, 4 or 6; 0: localhost, of both */
    guint8 address[16];
    guint16 host_port;
    guint16 guest_port;
} BerthRule;

/* Errors: BERTH_ERROR_INVALID, "forward.rule". */
bool berth_rule_parse(const char *text, BerthRule *ret_rule, GError **error);

/* In the one way of several in which equal rules are equal text: "3000:80", "[::1]:80:80/udp". Free
 * with g_free. */
char *berth_rule_format(const BerthRule *rule);

bool berth_rule_equal(const BerthRule *a, const BerthRule *b);

/* The host's side as people write it: "0.0.0.0:8080", "[::1]:8080", "8080" of localhost. Free with
 * g_free. */
char *berth_rule_host(const BerthRule *rule);

/* "tcp" or "udp". */
const char *berth_protocol_word(BerthProtocol protocol);

/* @address of @family as text: "127.0.0.1", "::1". Free with g_free. */
char *berth_rule_address_text(guint8 family, const guint8 address[16]);

/* Rules in a list: the text is valid, and "" is an empty one. Elements are parted by ";" or ",".
 * Free with g_array_unref; BerthRule. NULL on error. */
GArray *berth_rule_parse_list(const char *text, GError **error);

/* Ports in a list, "22,25": guint16, free with g_array_unref.
 * Errors: BERTH_ERROR_INVALID, "forward.port". */
GArray *berth_rule_parse_ports(const char *text, GError **error);

G_END_DECLS

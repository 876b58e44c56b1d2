/* SPDX-License-Identifier: MIT
 *
 * rule — one requested forward as text: a port of the host and its target in the guest.
 *
 *     8080                      the guest's port 8080 on the same port of localhost
 *     3000:80                   its port 80 on port 3000 of localhost
 *     127.0.0.2:3000:80         on that address of the host only
 *     [::1]:3000:80
 *     0.0.0.0:80                on every address, for the host's network
 *     5353/udp, udp:5353        UDP; TCP may be written the same way
 *
 * A value without pointers. Ports are in host order, addresses in network order.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef enum { BERTH_TCP = 6, BERTH_UDP = 17 } BerthProtocol; /* IP protocol numbers */

typedef struct {
    BerthProtocol protocol;
    guint8 family; /* of the host's address, 4 or 6; 0: localhost, of both */
    guint8 address[16];
    guint16 host_port;
    guint16 guest_port;
} BerthRule;

/* Errors: BERTH_ERROR_INVALID, "forward.rule". */
bool berth_rule_parse(const char *text, BerthRule *ret_rule, GError **error);

/* The canonical text: equal rules have equal text. "3000:80", "[::1]:80:80/udp". Free with
 * g_free. */
char *berth_rule_format(const BerthRule *rule);

bool berth_rule_equal(const BerthRule *a, const BerthRule *b);

/* The host's side for users: "0.0.0.0:8080", "[::1]:8080", "8080" for localhost. Free with
 * g_free. */
char *berth_rule_host(const BerthRule *rule);

/* "tcp" or "udp". */
const char *berth_protocol_word(BerthProtocol protocol);

/* @address of @family as text: "127.0.0.1", "::1". Free with g_free. */
char *berth_rule_address_text(guint8 family, const guint8 address[16]);

/* Parse a list of rules separated by ";" or ","; "" is an empty list. Free with g_array_unref;
 * BerthRule. NULL on error. */
GArray *berth_rule_parse_list(const char *text, GError **error);

/* Parse a list of ports, "22,25": guint16, free with g_array_unref. Errors: BERTH_ERROR_INVALID,
 * "forward.port". */
GArray *berth_rule_parse_ports(const char *text, GError **error);

G_END_DECLS

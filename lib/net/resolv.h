/* SPDX-License-Identifier: MIT
 *
 * resolv — parses the name servers of a resolv.conf into a value of fixed size.
 *
 * Reads "nameserver ADDRESS" lines as resolv.conf(5) defines them, and accepts a port:
 * 192.0.2.1:5353, [2001:db8::1]:5353. Skips invalid lines, as the C library does.
 *
 * Pure, except for looking up the interface index of a link-local address.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>

G_BEGIN_DECLS

#define BERTH_RESOLVERS_MAX 4u /* more than the C library uses */

typedef struct {
    guint8 family; /* 4 or 6 */
    guint8 zero;
    guint16 port;
    guint32 scope;      /* interface index of a link-local address, or 0 */
    guint8 address[16]; /* network order; IPv4 in the first four, the rest zero */
} BerthResolver;

/* Without padding, so that memcmp works. */
typedef struct {
    guint32 count;
    BerthResolver list[BERTH_RESOLVERS_MAX];
} BerthResolvers;

BerthResolvers berth_resolv_parse(const char *text);

/* Fill the socket address; returns its length, 0 for an unknown family. */
socklen_t berth_resolver_address(const BerthResolver *resolver,
                                 struct sockaddr_storage *ret_address);

G_END_DECLS

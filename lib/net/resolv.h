/* SPDX-License-Identifier: MIT
 *
 * resolv — the name servers in a resolv.conf, as a value of fixed size.
 *
 * Of the file only the lines "nameserver ADDRESS" matter; a guest has search domains of its own.
 * What resolv.conf(5) allows is understood, and besides a port: 192.0.2.1:5353, [2001:db8::1]:5353.
 * Lines that cannot be understood are passed over, as the C library does.
 *
 * Pure, but for the number of an interface that a link-local address names.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>

G_BEGIN_DECLS

#define BERTH_RESOLVERS_MAX 4u /* more than the C library asks */

typedef struct {
    guint8 family; /* 4 or 6 */
    guint8 zero;
    guint16 port;
    guint32 scope;      /* the interface of a link-local address, or 0 */
    guint8 address[16]; /* network order; IPv4 in the first four, the rest zero */
} BerthResolver;

/* Without padding, so that two can be compared as memory. */
typedef struct {
    guint32 count;
    BerthResolver list[BERTH_RESOLVERS_MAX];
} BerthResolvers;

BerthResolvers berth_resolv_parse(const char *text);

/* The address of a socket, and its length; 0 for no such family. */
socklen_t berth_resolver_address(const BerthResolver *resolver,
                                 struct sockaddr_storage *ret_address);

G_END_DECLS

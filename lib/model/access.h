/* SPDX-License-Identifier: MIT
 *
 * access — a distro's network access policy: reachable ports of the host, and addresses beyond it.
 *
 *     the host's loopback  no port, some, or all; by 10.0.2.2 and its IPv6 counterpart
 *     outbound             if set, an allow list of all reachable addresses
 *     isolated             no port of the host and none of its own addresses
 *
 * Cloud metadata services, which hand out the host's credentials, are always refused; the other
 * addresses of 169.254/16 are refused unless the list names them. Names are resolved by the host in
 * any case.
 *
 * A plain value without pointers, so that a keeper can send it to berth-net. All zero means not set
 * yet: nothing new is allowed. Ports are in host order, addresses in network order.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_ACCESS_PORTS_MAX    64
#define BERTH_ACCESS_OUTBOUND_MAX 64
#define BERTH_ACCESS_OWN_MAX      256

typedef struct {
    guint8 family;      /* 4 or 6 */
    guint8 bits;        /* prefix length */
    guint16 port;       /* 0: all, and ping */
    guint8 address[16]; /* IPv4 in the first four, the rest zero */
} BerthAccessRange;

typedef struct {
    guint8 known; /* 0: policy not set yet */
    guint8 host_all;
    guint8 isolated;
    guint8 own_incomplete; /* the host has more addresses than fit here */
    guint16 n_ports;
    guint16 n_outbound;
    guint16 n_own;
    guint8 no_ping; /* no ping sockets for us: reject at once, so that guests need not wait */
    guint8 zero;
    guint16 ports[BERTH_ACCESS_PORTS_MAX];
    BerthAccessRange outbound[BERTH_ACCESS_OUTBOUND_MAX];
    BerthAccessRange own[BERTH_ACCESS_OWN_MAX]; /* the host's addresses, as far as they matter */
} BerthAccess;

typedef enum {
    BERTH_ACCESS_OPEN,
    BERTH_ACCESS_UNKNOWN, /* policy not set yet */
    BERTH_ACCESS_REFUSED,
} BerthAccessAnswer;

/* Allow the ports of @text: numbers separated by commas or blanks, or "all". Errors:
 * BERTH_ERROR_INVALID, "access.port", "access.ports" (too many). */
bool berth_access_add_ports(BerthAccess *access, const char *text, GError **error);

/* Allow one more port. False when the table is full or the distro isolated. */
bool berth_access_allow(BerthAccess *access, guint16 port);

/* Add @text to the outbound allow list: ADDRESS[/BITS][:PORT] or, for IPv6 with a port,
 * [ADDRESS[/BITS]]:PORT; separated by commas, semicolons or blanks. Errors: BERTH_ERROR_INVALID,
 * "access.address", "access.outbound" (too many). */
bool berth_access_add_outbound(BerthAccess *access, const char *text, GError **error);

/* Add an address of the host, or a network routed to it. When they do not fit, an isolated distro
 * reaches only its outbound list. */
void berth_access_add_own(BerthAccess *access, guint8 family, const guint8 *address, guint8 bits);

/* Whether counts and lengths are in range. */
bool berth_access_is_sound(const BerthAccess *access);

/* The answer for a new connection to @port of the host's loopback, by the gateway's address. */
BerthAccessAnswer berth_access_host(const BerthAccess *access, guint16 port);

/* The answer for a new flow to an address beyond the instance's network; port 0 for protocols
 * without ports. */
BerthAccessAnswer berth_access_outside(const BerthAccess *access, guint8 family,
                                       const guint8 *address, guint16 port);

/* Whether the first @bits of two addresses are equal. */
bool berth_access_same_network(const guint8 *left, const guint8 *right, guint bits);

G_END_DECLS

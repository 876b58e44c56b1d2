/* SPDX-License-Identifier: MIT
 *
 * access — where a distro may go: which ports of the host, and which addresses beyond it.
 *
 *     the host's loopback  none of its ports, some, or all; from 10.0.2.2 and its like
 *     outbound             a list, when there is one, is all that can be reached
 *     isolated             no port of the host and none of its own addresses
 *
 * Metadata services of clouds, which hand out the host's credentials, are always refused; so are
 * the other addresses of 169.254/16, unless the list names them. Names are resolved by the host in
 * any case.
 *
 * A pure value without pointers, so that a keeper can hand it to berth-net as it is. All zero says
 * that nobody has said anything yet, and then nothing new may go anywhere. Ports are in host order,
 * addresses in network order.
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
    guint8 bits;        /* of the address that count */
    guint16 port;       /* 0: all, and ping */
    guint8 address[16]; /* IPv4 in the first four, the rest zero */
} BerthAccessRange;

typedef struct {
    guint8 known; /* 0: nobody has said anything yet */
    guint8 host_all;
    guint8 isolated;
    guint8 own_incomplete; /* the host has more addresses than fit here */
    guint16 n_ports;
    guint16 n_outbound;
    guint16 n_own;
    guint8
        no_ping; /* the kernel sends no echo requests for us: guests are told, not left waiting */
    guint8 zero;
    guint16 ports[BERTH_ACCESS_PORTS_MAX];
    BerthAccessRange outbound[BERTH_ACCESS_OUTBOUND_MAX];
    BerthAccessRange own[BERTH_ACCESS_OWN_MAX]; /* the host's, as far as they count */
} BerthAccess;

typedef enum {
    BERTH_ACCESS_OPEN,
    BERTH_ACCESS_UNKNOWN, /* nobody has said anything yet */
    BERTH_ACCESS_REFUSED,
} BerthAccessAnswer;

/* Allow the ports of @text: numbers separated by commas or blanks, or "all".
 * Errors: BERTH_ERROR_INVALID, "access.port", "access.ports" (too many). */
bool berth_access_add_ports(BerthAccess *access, const char *text, GError **error);

/* Allow one port more. False when there is no room for it, or the distro is isolated. */
bool berth_access_allow(BerthAccess *access, guint16 port);

/* Put what @text names on the list of what can be reached: ADDRESS[/BITS][:PORT] or, of IPv6 with a
 * port, [ADDRESS[/BITS]]:PORT; separated by commas, semicolons or blanks.
 * Errors: BERTH_ERROR_INVALID, "access.address", "access.outbound" (too many). */
bool berth_access_add_outbound(BerthAccess *access, const char *text, GError **error);

/* An address of the host's, or a network that it takes for itself. When there are too many, an
 * isolated distro reaches only what is on its list. */
void berth_access_add_own(BerthAccess *access, guint8 family, const guint8 *address, guint8 bits);

/* Whether the numbers in it can be believed. */
bool berth_access_is_sound(const BerthAccess *access);

/* Whether a new connection may go to this port of the host's loopback, by the gateway's address. */
BerthAccessAnswer berth_access_host(const BerthAccess *access, guint16 port);

/* Whether one may go to this address beyond the instance's own network; 0 is the port of what has
 * none. */
BerthAccessAnswer berth_access_outside(const BerthAccess *access, guint8 family,
                                       const guint8 *address, guint16 port);

/* Whether the first @bits of two addresses are the same. */
bool berth_access_same_network(const guint8 *left, const guint8 *right, guint bits);

G_END_DECLS

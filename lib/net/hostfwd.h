/* SPDX-License-Identifier: MIT
 *
 * hostfwd — libslirp's listeners on the host for the forwards of a stack, and their access
 * checks.
 *
 * libslirp listens with a backlog of 1, which delays eight simultaneous connections for seconds;
 * this module raises it. libslirp returns neither the descriptors it opens nor those it accepts:
 * the former are found by address, the latter are predicted as the lowest free descriptor.
 *
 * Ports are in host byte order. One thread.
 */
#pragma once

#include "packet.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* One end of a forward. */
typedef struct {
    guint8 family; /* 4 or 6 */
    guint8 zero;
    guint16 port;
    guint8 address[16]; /* network order; IPv4 in the first four, the rest zero */
} BerthEndpoint;

typedef struct {
    guint8 protocol; /* BerthProtocol */
    guint8 zero[3];
    BerthEndpoint host;
    BerthEndpoint guest;
} BerthStackRule;

typedef struct BerthHostfwd BerthHostfwd;
struct Slirp;

/* @slirp is borrowed. With @diag_fd, a borrowed socket of owner.h, only our own user and root may
 * connect; -1 admits everybody. */
BerthHostfwd *berth_hostfwd_new(struct Slirp *slirp, int diag_fd);
void berth_hostfwd_free(BerthHostfwd *listeners);

/* As berth_stack_add and berth_stack_remove. */
int berth_hostfwd_add(BerthHostfwd *listeners, const BerthStackRule *rule);
int berth_hostfwd_remove(BerthHostfwd *listeners, const BerthStackRule *rule);

/* Whether @fd is a TCP listener. */
bool berth_hostfwd_is_listener(const BerthHostfwd *listeners, int fd);
guint berth_hostfwd_count(const BerthHostfwd *listeners);

/* The process's limit of descriptors. */
guint berth_hostfwd_fd_limit(void);

/* Whether each connection must pass berth_hostfwd_admit before libslirp reads from it. */
bool berth_hostfwd_must_check(const BerthHostfwd *listeners);

/* The descriptor that the next accept will return; and, after it, reset the connection if its peer
 * is not allowed. */
int berth_hostfwd_next_fd(void);
void berth_hostfwd_admit(BerthHostfwd *listeners, int listener_fd, int fd);

/* If @packet, a reset from the guest, belongs to the client @fd of a forward, reset that
 * connection; otherwise false. libslirp would only close it. */
bool berth_hostfwd_reset(BerthHostfwd *listeners, int fd, const BerthPacket *packet);

G_END_DECLS

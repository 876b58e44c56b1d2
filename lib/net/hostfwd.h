/* SPDX-License-Identifier: MIT
 *
 * hostfwd — the forwards of a stack: libslirp's listeners on the host, and who may use them.
 *
 * libslirp listens with a backlog of 1, with which eight connections at once take seconds; it is
 * raised here. It also tells neither which descriptor it opened nor which it got by accepting;
 * the first is found by its address, the second because it is the next that is free.
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

typedef struct BerthListeners BerthListeners;
struct Slirp;

/* @slirp is borrowed. With @diag_fd, a socket of owner.h (borrowed), only our own user and root may
 * connect; -1: everybody may. */
BerthListeners *berth_listeners_new(struct Slirp *slirp, int diag_fd);
void berth_listeners_free(BerthListeners *listeners);

/* As berth_stack_add and berth_stack_remove. */
int berth_listeners_add(BerthListeners *listeners, const BerthStackRule *rule);
int berth_listeners_remove(BerthListeners *listeners, const BerthStackRule *rule);

/* Whether @fd is one of them, and whether it is one of theirs or a forward's for UDP. */
bool berth_listeners_have(const BerthListeners *listeners, int fd);
bool berth_listeners_forward(const BerthListeners *listeners, int fd);
guint berth_listeners_count(const BerthListeners *listeners);

/* Of the process. */
guint berth_listeners_fd_limit(void);

/* Whether connections have to be looked at before anything of them passes. */
bool berth_listeners_must_check(const BerthListeners *listeners);

/* The descriptor the next connection gets, and afterwards: reset it if it was somebody else's. */
int berth_listeners_next_fd(void);
void berth_listeners_admit(BerthListeners *listeners, int listener_fd, int fd);

/* Reset the client @fd of a forward if @packet, by which the guest resets a connection, is of that
 * one; else false. libslirp would tell the client no more than that it is over. */
bool berth_listeners_reset(BerthListeners *listeners, int fd, const BerthPacket *packet);

G_END_DECLS

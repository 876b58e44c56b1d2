/* SPDX-License-Identifier: MIT
 *
 * forward — what listens in the guest, and what becomes of it on the host.
 *
 * Pure: from the guest's listeners the plan says which host ports to open and, for each that stays
 * closed, why. lib/net/ports carries a plan out.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef enum { BERTH_TCP = 6, BERTH_UDP = 17 } BerthProtocol; /* the numbers of IP */

/* A listening socket in the guest. */
typedef struct {
    guint8 family; /* 4 or 6 */
    BerthProtocol protocol;
    guint16 port;
    guint8 address[16]; /* network order; IPv4 in the first four */
    char *owner;        /* the process that listens, or "" */
} BerthListener;

typedef enum {
    BERTH_FORWARD_WANTED,  /* to be opened */
    BERTH_FORWARD_OPEN,    /* reachable on the host's localhost */
    BERTH_FORWARD_BLOCKED, /* could not be opened; reason says why */
    BERTH_FORWARD_IGNORED, /* not to be opened; reason says why */
} BerthForwardState;

/* A guest port on its way to the host's localhost. */
typedef struct {
    BerthProtocol protocol;
    guint16 port;  /* in the guest, and on the host */
    bool loopback; /* the guest's service is bound to its 127.0.0.1 */
    BerthForwardState state;
    char *owner;  /* as BerthListener */
    char *reason; /* why BLOCKED or IGNORED, else NULL */
} BerthForward;

void berth_listener_free(BerthListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthListener, berth_listener_free)
void berth_forward_free(BerthForward *forward);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthForward, berth_forward_free)

/* "open", "blocked", ... as users and --json see it. */
const char *berth_forward_state_word(BerthForwardState state);

/* One forward per (protocol, port) of @listeners (BerthListener*), sorted by port: WANTED where one
 * of the listeners can be reached over IPv4 (on any address, on 10.0.2.15 or on 127.0.0.1),
 * IGNORED with a reason otherwise. Elements: BerthForward*. Free with g_ptr_array_unref. */
GPtrArray *berth_forward_plan(const GPtrArray *listeners);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * port_notices — the lines a terminal shows when a distro opens a port.
 *
 *     port 3000 of debian (node) is on http://localhost:3000
 *     port 3000 of debian (node) is not on localhost: port 3000 is in use on this host by ...
 *
 * No notice for ports that are open at the start, for forwards by a rule, and for a port that
 * reopens within the flap interval (a development server that restarts at each change). Times are
 * CLOCK_MONOTONIC, in microseconds.
 */
#pragma once

#include "model/forward.h"

G_BEGIN_DECLS

#define BERTH_PORT_NOTICES_SETTLE_USEC (G_GINT64_CONSTANT(1000) * 1000) /* of a start */
#define BERTH_PORT_NOTICES_FLAP_USEC                                                               \
    (G_GINT64_CONSTANT(10) * 1000 * 1000) /* until it is reported again */

typedef struct BerthPortNotices BerthPortNotices;

/* For the distro called @name. */
BerthPortNotices *berth_port_notices_new(const char *name);
void berth_port_notices_free(BerthPortNotices *notices);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthPortNotices, berth_port_notices_free)

/* Set when the guest came up; -1: it is no longer up. */
void berth_port_notices_set_up(BerthPortNotices *notices, gint64 now_usec);

/* Process a new list of all forwards (BerthForward*). Returns the notices, at most LINES_MAX and
 * one that counts the rest; free with g_strfreev. */
char **berth_port_notices_update(BerthPortNotices *notices, const GPtrArray *forwards,
                                 gint64 now_usec);

G_END_DECLS

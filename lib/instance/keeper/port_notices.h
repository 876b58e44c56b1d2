/* SPDX-License-Identifier: MIT
 *
 * notices — what a user is told of a distro's ports as they come, a line each.
 *
 *     port 3000 of debian (node) is on http://localhost:3000
 *     port 3000 of debian (node) is not on localhost: port 3000 is in use on this host by ...
 *
 * Not what is there when the distro starts, not what was asked for by a rule, and not what comes
 * back soon, as a server does that is started anew at each change of its program. Times are
 * monotonic, in microseconds.
 */
#pragma once

#include "model/forward.h"

G_BEGIN_DECLS

#define BERTH_PORT_NOTICES_SETTLE_USEC (G_GINT64_CONSTANT(1000) * 1000) /* of a start */
#define BERTH_PORT_NOTICES_FLAP_USEC                                                               \
    (G_GINT64_CONSTANT(10) * 1000 * 1000) /* until it is news again                                \
                                           */

typedef struct BerthPortNotices BerthPortNotices;

/* For the distro called @name. */
BerthPortNotices *berth_port_notices_new(const char *name);
void berth_port_notices_free(BerthPortNotices *notices);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthPortNotices, berth_port_notices_free)

/* The guest is up since @now_usec, or with -1 not any more. */
void berth_port_notices_set_up(BerthPortNotices *notices, gint64 now_usec);

/* The lines @forwards (BerthForward*, all there are) are worth. Free with g_strfreev. */
char **berth_port_notices_update(BerthPortNotices *notices, const GPtrArray *forwards,
                                 gint64 now_usec);

G_END_DECLS

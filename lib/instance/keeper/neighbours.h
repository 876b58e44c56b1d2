/* SPDX-License-Identifier: MIT
 *
 * neighbours — what the running distros of one user tell each other about ports of the host.
 *
 *     <runtime>/<id>/ports   a line for each leg that is open: "tcp 127.0.0.1 3000"
 *
 * The first that opens a port has it. A second one finds the first by its file, to name it, and
 * watches the file, so that it gets the port at once when the first lets go: the file changes only
 * after the port is free. A file without a keeper is left over from a crash and says nothing.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "model/forward.h"

G_BEGIN_DECLS

typedef struct BerthNeighbours BerthNeighbours;

/* @dir is the runtime directory of this distro. @released is called when one that was found has let
 * go of something, or has gone. */
BerthNeighbours *berth_neighbours_new(const char *dir, void (*released)(gpointer user_data),
                                      gpointer user_data);
/* Nothing of ours is open any more. NULL is fine. */
void berth_neighbours_free(BerthNeighbours *neighbours);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthNeighbours, berth_neighbours_free)

/* Tell what of @forwards (BerthForward*) is open. Failing to is no error: the others find out by
 * trying. */
void berth_neighbours_publish(BerthNeighbours *neighbours, const GPtrArray *forwards);

/* The name of the distro that has the host's side of @leg, watched from now on; or NULL. Free with
 * g_free. */
char *berth_neighbours_find(BerthNeighbours *neighbours, const BerthLeg *leg);

/* Nobody is waited for any more. */
void berth_neighbours_unwatch(BerthNeighbours *neighbours);

G_END_DECLS

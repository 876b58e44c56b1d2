/* SPDX-License-Identifier: MIT
 *
 * neighbours — shares the open host ports between the keepers of one user.
 *
 *     <runtime>/<id>/ports   a line for each leg that is open: "tcp 127.0.0.1 3000"
 *
 * The first keeper that opens a port has it. Another one finds the owner's file, names the owner in
 * its message and watches the file, so that it can open the port as soon as the owner closes it:
 * the owner updates its file only after the port is free. A file without a live keeper is left over
 * from a crash and is ignored.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "model/forward.h"

G_BEGIN_DECLS

typedef struct BerthNeighbours BerthNeighbours;

/* @dir is the runtime directory of this distro. @released is called when a watched neighbour has
 * closed a port or has ended. */
BerthNeighbours *berth_neighbours_new(const char *dir, void (*released)(gpointer user_data),
                                      gpointer user_data);
/* Removes our file: call it when all our ports are closed. Accepts NULL. */
void berth_neighbours_free(BerthNeighbours *neighbours);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthNeighbours, berth_neighbours_free)

/* Write the open legs of @forwards (BerthForward*) to our file. Errors are ignored: the others find
 * out by trying to bind. */
void berth_neighbours_publish(BerthNeighbours *neighbours, const GPtrArray *forwards);

/* The name of the distro that holds the host's side of @leg, which is watched from now on; or NULL.
 * Free with g_free. */
char *berth_neighbours_find(BerthNeighbours *neighbours, const BerthLeg *leg);

/* Stop watching neighbours. */
void berth_neighbours_unwatch(BerthNeighbours *neighbours);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * splice — two stream sockets joined into one connection.
 *
 * splice(2) moves the bytes through a pipe each way without copying them into the agent. A
 * half-close and a reset of one side are passed on to the other. Reading from a socket stops while
 * its peer does not read.
 */
#pragma once

#include "os/loop.h"

#include <sys/socket.h>

typedef struct Splice Splice;

/* Connect to @target and join @client (taken) to it; resets the client when the connection is
 * refused. Calls @ended once, from a later turn of the loop, when both sockets are closed; free the
 * splice after that turn. NULL, with the client reset, when resources run out. */
Splice *splice_new(Loop *loop, int client, const struct sockaddr_storage *target,
                   void (*ended)(Splice *splice, void *data), void *data);

/* Resets the sockets that are still open. NULL is allowed. */
void splice_free(Splice *splice);

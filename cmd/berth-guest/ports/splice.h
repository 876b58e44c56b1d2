/* SPDX-License-Identifier: MIT
 *
 * splice — two stream sockets joined: what one says the other hears.
 *
 * Bytes go through a pipe each way and are never copied into the agent (splice). The end of one
 * half is passed on as the end of that half, a reset as a reset. A socket whose other side does
 * not read is not read from.
 */
#pragma once

#include "os/loop.h"

#include <sys/socket.h>

typedef struct Pump Pump;

/* Join @client (taken) to what listens at @target; if nobody does the client is reset. @ended is
 * called once, from a later turn of the loop, when the pump has closed both; free it then, after
 * that turn. NULL when there is no room: the client is reset then, too. */
Pump *pump_new(Loop *loop, int client, const struct sockaddr_storage *target,
               void (*ended)(Pump *pump, void *data), void *data);

/* Reset both ends where they are still open. NULL is nothing. */
void pump_free(Pump *pump);

/* SPDX-License-Identifier: MIT
 *
 * under_way — the requests that the host's server has and has not answered.
 *
 * The carrier keeps a request whole until the answer, and sends it to the next server if there is
 * none. That server knows the changes that it must not make twice (lib/share/again.c). Not kept:
 * INIT, which the carrier sends anyway, and a replay's request, which is for one server.
 *
 * Not thread-safe: the carrier has a lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNDER_WAY_KEPT_MAX (1024u * 1024u + 8192u) /* bytes of a kept request and an INTERRUPT */

/* So many servers get one request at most: it may be what ends them. */
#define UNDER_WAY_SERVERS_MAX 3u

typedef struct {
    uint64_t unique;
    uint32_t opcode;
    uint32_t size;    /* of @message, bytes */
    uint8_t *message; /* owned; NULL: it is not sent again */
    bool is_change;   /* of a file */
    unsigned servers; /* that ended while they had it */
    bool again;       /* to be sent to the next server */
    bool interrupted; /* the kernel has sent INTERRUPT for it */
} Request;

/* All zero at first. */
typedef struct {
    Request *requests;
    size_t count;
    size_t room;
    size_t again; /* requests that are to be sent again */
} UnderWay;

/* @message is a request with a whole header that has an answer. False: there is no memory. */
bool under_way_add(UnderWay *under_way, const uint8_t *message, size_t size);

/* It was answered, or was not sent. False: it is not under way. */
bool under_way_remove(UnderWay *under_way, uint64_t unique);

/* The kernel has sent the INTERRUPT @message of @size bytes. */
void under_way_interrupt(UnderWay *under_way, const uint8_t *message, size_t size);

/* The server has ended; not by itself with @excused. All that is kept is to be sent again. */
void under_way_mark(UnderWay *under_way, bool excused);

/* Remove a request that is not to be sent again, if there is one: true, with its number. */
bool under_way_drop(UnderWay *under_way, uint64_t *ret_unique);

/* Whether a server has a request that changes a file. */
bool under_way_has_change(const UnderWay *under_way);

/* Copy the next request that is to be sent again to @ret_message, of UNDER_WAY_KEPT_MAX bytes, with
 * an INTERRUPT behind it if it was interrupted. It is not to be sent again then. The size of both
 * in bytes; 0: there is none. */
size_t under_way_next(UnderWay *under_way, uint8_t *ret_message);

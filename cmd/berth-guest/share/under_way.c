/* SPDX-License-Identifier: MIT */
#include "under_way.h"

#include "wire/replay.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

#define INTERRUPT_SIZE (sizeof(struct fuse_in_header) + sizeof(struct fuse_interrupt_in))
#define INTERRUPT_BIT  1u /* of an INTERRUPT's number; the rest is its request's */

static bool is_pure(uint32_t opcode)
{
    static const uint32_t pure[] = {
        FUSE_LOOKUP,  FUSE_GETATTR,  FUSE_READLINK,   FUSE_OPEN,     FUSE_READ,        FUSE_STATFS,
        FUSE_RELEASE, FUSE_FSYNC,    FUSE_FLUSH,      FUSE_GETXATTR, FUSE_LISTXATTR,   FUSE_OPENDIR,
        FUSE_READDIR, FUSE_FSYNCDIR, FUSE_RELEASEDIR, FUSE_ACCESS,   FUSE_READDIRPLUS, FUSE_LSEEK,
        FUSE_GETLK,   FUSE_SETLK,    FUSE_SETLKW,
    };
    for (size_t i = 0; i < sizeof(pure) / sizeof(pure[0]); i++)
        if (opcode == pure[i])
            return true;
    return false;
}

/* Whether the request opens a file and empties it (O_TRUNC), which is a change. */
static bool is_cut(const struct fuse_in_header *header, const uint8_t *message, size_t size)
{
    struct fuse_open_in open;
    if (header->opcode != FUSE_OPEN || size < sizeof(*header) + sizeof(open))
        return false;
    memcpy(&open, message + sizeof(*header), sizeof(open));
    return (open.flags & O_TRUNC) != 0;
}

static bool is_change(const struct fuse_in_header *header, const uint8_t *message, size_t size)
{
    return !is_pure(header->opcode) || is_cut(header, message, size);
}

static bool may_ask_twice(const struct fuse_in_header *header, size_t size)
{
    return header->opcode != FUSE_INIT && header->pid != WIRE_REPLAY_PID &&
           size + INTERRUPT_SIZE <= UNDER_WAY_KEPT_MAX;
}

static bool make_room(UnderWay *under_way)
{
    if (under_way->count < under_way->room)
        return true;
    size_t room = under_way->room != 0 ? under_way->room * 2 : 64;
    Request *grown = realloc(under_way->requests, room * sizeof(*grown));
    if (grown == NULL)
        return false;
    under_way->requests = grown;
    under_way->room = room;
    return true;
}

bool under_way_add(UnderWay *under_way, const uint8_t *message, size_t size)
{
    struct fuse_in_header header;
    memcpy(&header, message, sizeof(header));
    if (!make_room(under_way))
        return false;
    Request *request = &under_way->requests[under_way->count];
    *request = (Request){.unique = header.unique,
                         .opcode = header.opcode,
                         .is_change = is_change(&header, message, size)};
    if (may_ask_twice(&header, size)) {
        request->message = malloc(size);
        if (request->message == NULL)
            return false;
        request->size = (uint32_t)size;
        memcpy(request->message, message, size);
    }
    under_way->count++;
    return true;
}

static Request *find(const UnderWay *under_way, uint64_t unique)
{
    for (size_t i = under_way->count; i-- > 0;)
        if (under_way->requests[i].unique == unique)
            return &under_way->requests[i];
    return NULL;
}

/* The others stay in order. */
static void remove_request(UnderWay *under_way, Request *request)
{
    size_t after = (size_t)(under_way->requests + under_way->count - (request + 1));
    under_way->again -= request->again;
    free(request->message);
    memmove(request, request + 1, after * sizeof(*request));
    under_way->count--;
}

bool under_way_remove(UnderWay *under_way, uint64_t unique)
{
    Request *request = find(under_way, unique);
    if (request != NULL)
        remove_request(under_way, request);
    return request != NULL;
}

void under_way_interrupt(UnderWay *under_way, const uint8_t *message, size_t size)
{
    struct fuse_interrupt_in interrupt;
    if (size < INTERRUPT_SIZE)
        return;
    memcpy(&interrupt, message + sizeof(struct fuse_in_header), sizeof(interrupt));
    Request *request = find(under_way, interrupt.unique);
    if (request != NULL)
        request->interrupted = true;
}

/* Another program, the disk or the guest's own caches decide how long these take: they are not to
 * blame for an end. */
static bool may_take_long(const Request *request)
{
    return request->opcode == FUSE_SETLKW || request->opcode == FUSE_FSYNC ||
           request->opcode == FUSE_FSYNCDIR ||
           (request->opcode == FUSE_OPEN && !request->is_change);
}

static void mark(Request *request, bool excused)
{
    request->servers += !excused && !may_take_long(request);
    request->again = request->message != NULL && request->servers < UNDER_WAY_SERVERS_MAX;
}

void under_way_mark(UnderWay *under_way, bool excused)
{
    under_way->again = 0;
    for (size_t i = 0; i < under_way->count; i++) {
        mark(&under_way->requests[i], excused);
        under_way->again += under_way->requests[i].again;
    }
}

bool under_way_drop(UnderWay *under_way, uint64_t *ret_unique)
{
    for (size_t i = 0; i < under_way->count; i++) {
        if (under_way->requests[i].again)
            continue;
        *ret_unique = under_way->requests[i].unique;
        remove_request(under_way, &under_way->requests[i]);
        return true;
    }
    return false;
}

static bool is_release(const Request *request)
{
    return request->opcode == FUSE_RELEASE || request->opcode == FUSE_RELEASEDIR;
}

bool under_way_has_change(const UnderWay *under_way)
{
    for (size_t i = 0; i < under_way->count; i++)
        if (under_way->requests[i].is_change && !under_way->requests[i].again)
            return true;
    return false;
}

/* Releases come first: if the former server did one, the next may give its handle's number to an
 * OPEN. */
static Request *next(const UnderWay *under_way)
{
    Request *first = NULL;
    for (size_t i = 0; i < under_way->count; i++) {
        Request *request = &under_way->requests[i];
        if (request->again && is_release(request))
            return request;
        if (request->again && first == NULL)
            first = request;
    }
    return first;
}

static size_t put_interrupt(uint64_t unique, uint8_t *ret_message)
{
    const struct fuse_in_header header = {
        .len = INTERRUPT_SIZE, .opcode = FUSE_INTERRUPT, .unique = unique | INTERRUPT_BIT};
    const struct fuse_interrupt_in interrupt = {.unique = unique};
    memcpy(ret_message, &header, sizeof(header));
    memcpy(ret_message + sizeof(header), &interrupt, sizeof(interrupt));
    return INTERRUPT_SIZE;
}

size_t under_way_next(UnderWay *under_way, uint8_t *ret_message)
{
    Request *request = next(under_way);
    if (request == NULL)
        return 0;
    request->again = false;
    under_way->again--;
    memcpy(ret_message, request->message, request->size);
    size_t size = request->size;
    return request->interrupted ? size + put_interrupt(request->unique, ret_message + size) : size;
}

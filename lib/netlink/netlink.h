/* SPDX-License-Identifier: MIT
 *
 * netlink — requests to the kernel over netlink, with complete answers only.
 *
 * An answer counts if it comes from the kernel and carries the request's sequence number and the
 * socket's port id; other messages, such as the rest of an interrupted dump, are skipped. A dump is
 * complete when it ends with NLMSG_DONE, is not marked NLM_F_DUMP_INTR, and no datagram was lost or
 * truncated. An incomplete dump is repeated, up to NETLINK_TRIES tries in all.
 *
 * Sockets block for at most NETLINK_WAIT_SEC; the kernel answers within send. All results are 0 or
 * -errno. One thread a socket.
 */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_TRIES    8
#define NETLINK_WAIT_SEC 2

/* The caller closes fd. */
typedef struct {
    int fd;
    uint32_t port;     /* the socket's port id, which answers carry */
    uint32_t sequence; /* of the last request */
} Netlink;

/* Receives a dump: `begin` discards results of earlier tries, `message` gets one message. Its
 * nlmsg_len is within the datagram, and it is not NOOP, ERROR or DONE. */
typedef struct {
    void (*begin)(void *data);
    void (*message)(void *data, const struct nlmsghdr *header);
} NetlinkDump;

/* Open a socket of @protocol (NETLINK_ROUTE, ...) subscribed to @groups (a mask). On failure fd is
 * -1. */
int netlink_open(Netlink *netlink, int protocol, uint32_t groups);

/* Send @question with NLM_F_REQUEST | NLM_F_DUMP and a new sequence number, and pass its answer to
 * @dump. -EINTR when no try was complete. On failure discard what `message` received. */
int netlink_dump(Netlink *netlink, struct nlmsghdr *question, const NetlinkDump *dump, void *data);

/* Send @question with NLM_F_REQUEST | NLM_F_ACK and return the kernel's result. */
int netlink_request(Netlink *netlink, struct nlmsghdr *question);

/* Read and discard everything pending on @fd. */
void netlink_drain(int fd);

/* An iterator over attributes; a malformed one ends it. */
typedef struct {
    const uint8_t *next;
    size_t left;
    uint16_t type;
    const uint8_t *value;
    size_t size; /* of value */
} NetlinkAttributes;

NetlinkAttributes netlink_attributes(const void *bytes, size_t size);
/* The attributes after @fixed bytes of @header's payload. */
NetlinkAttributes netlink_message_attributes(const struct nlmsghdr *header, size_t fixed);
/* Advance. False at the end. */
bool netlink_attribute(NetlinkAttributes *attributes);

/* Append an attribute to @header, in a buffer of @capacity bytes. False, and unchanged, when it
 * does not fit. */
bool netlink_put(struct nlmsghdr *header, size_t capacity, uint16_t type, const void *value,
                 size_t size);

/* Start a nested attribute; pass the result to netlink_nest_end. 0 when it does not fit. */
size_t netlink_nest(struct nlmsghdr *header, size_t capacity, uint16_t type);
void netlink_nest_end(struct nlmsghdr *header, size_t nest);

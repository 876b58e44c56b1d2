/* SPDX-License-Identifier: MIT
 *
 * netlink — questions to the kernel over netlink, and only whole answers.
 *
 * An answer counts when it comes from the kernel, carries the sequence number of the question and
 * the port id of the socket that asked; any other message is skipped, such as what an interrupted
 * dump left behind. A dump is whole when it ends with NLMSG_DONE, the kernel has not marked it as
 * interrupted (NLM_F_DUMP_INTR) and nothing of it was lost or cut. One that is not is asked for
 * again, NETLINK_TRIES times in all.
 *
 * Sockets block, for NETLINK_WAIT_SEC at most: the kernel answers within send. All results are 0 or
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
    uint32_t port;     /* the socket's id, which answers name */
    uint32_t sequence; /* of the last question */
} Netlink;

/* Receives a dump: `begin` forgets what earlier tries have brought, `message` gets one message. Its
 * nlmsg_len was checked against what was received, and it is neither NOOP, ERROR nor DONE. */
typedef struct {
    void (*begin)(void *data);
    void (*message)(void *data, const struct nlmsghdr *header);
} NetlinkDump;

/* A socket of @protocol (NETLINK_ROUTE, ...) that hears of @groups (a mask, 0: of none). On failure
 * fd is -1. */
int netlink_open(Netlink *netlink, int protocol, uint32_t groups);

/* Send @question with NLM_F_REQUEST | NLM_F_DUMP and a new sequence number, and pass its answer on.
 * -EINTR when no try brought a whole one. After any failure what `message` got must not be used. */
int netlink_dump(Netlink *netlink, struct nlmsghdr *question, const NetlinkDump *dump, void *data);

/* Send @question with NLM_F_REQUEST | NLM_F_ACK and return what the kernel makes of it. */
int netlink_request(Netlink *netlink, struct nlmsghdr *question);

/* Read whatever has come to @fd and forget it. */
void netlink_drain(int fd);

/* Attributes, one after the other; a malformed one ends the walk. */
typedef struct {
    const uint8_t *next;
    size_t left;
    uint16_t type;
    const uint8_t *value;
    size_t size; /* of value */
} NetlinkAttributes;

NetlinkAttributes netlink_attributes(const void *bytes, size_t size);
/* Those that follow @fixed bytes of @header's payload. */
NetlinkAttributes netlink_message_attributes(const struct nlmsghdr *header, size_t fixed);
/* Step to the next one. False when there is none. */
bool netlink_attribute(NetlinkAttributes *attributes);

/* Append an attribute to @header, which lies in @capacity bytes. False, and nothing appended, when
 * there is no room. */
bool netlink_put(struct nlmsghdr *header, size_t capacity, uint16_t type, const void *value,
                 size_t size);

/* Append an attribute that holds those put until netlink_nest_end, which wants what this returns: 0
 * when there is no room. */
size_t netlink_nest(struct nlmsghdr *header, size_t capacity, uint16_t type);
void netlink_nest_end(struct nlmsghdr *header, size_t nest);

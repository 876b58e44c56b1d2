/* SPDX-License-Identifier: MIT */
#include "owner.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} Address;

typedef struct {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
} Request;

int berth_owner_open(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

static void put_address(__be32 *to, const Address *address)
{
    if (address->any.sa_family == AF_INET)
        memcpy(to, &address->v4.sin_addr, sizeof(address->v4.sin_addr));
    else
        memcpy(to, &address->v6.sin6_addr, sizeof(address->v6.sin6_addr));
}

/* Asks for the socket whose local address is the peer of @fd. */
static bool make_request(int fd, Request *request)
{
    Address own = {0}, peer = {0};
    socklen_t own_size = sizeof(own), peer_size = sizeof(peer);
    if (getsockname(fd, &own.any, &own_size) < 0 || getpeername(fd, &peer.any, &peer_size) < 0 ||
        (own.any.sa_family != AF_INET && own.any.sa_family != AF_INET6))
        return false;
    *request = (Request){.head = {.nlmsg_len = sizeof(*request),
                                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                  .nlmsg_flags = NLM_F_REQUEST},
                         .body = {.sdiag_family = (guint8)own.any.sa_family,
                                  .sdiag_protocol = IPPROTO_TCP,
                                  .idiag_states = G_MAXUINT32}};
    struct inet_diag_sockid *id = &request->body.id;
    id->idiag_sport = peer.v4.sin_port; /* same offset in both families */
    id->idiag_dport = own.v4.sin_port;
    put_address(id->idiag_src, &peer);
    put_address(id->idiag_dst, &own);
    request->head.nlmsg_seq = (guint32)id->idiag_sport << 16 | id->idiag_dport;
    id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return true;
}

/* The kernel returns a listener when the connection's own socket is gone. */
static BerthOwnerAnswer read_socket(const struct inet_diag_msg *found, const Request *request,
                                    uid_t *ret_uid)
{
    if (found->idiag_state == TCP_LISTEN)
        return BERTH_OWNER_UNKNOWN;
    if (found->idiag_inode == 0 || found->id.idiag_sport != request->body.id.idiag_sport ||
        found->id.idiag_dport != request->body.id.idiag_dport)
        return BERTH_OWNER_UNKNOWN;
    *ret_uid = found->idiag_uid;
    return BERTH_OWNER_FOUND;
}

static BerthOwnerAnswer read_answer(const struct nlmsghdr *head, const Request *request,
                                    uid_t *ret_uid)
{
    if (head->nlmsg_type == NLMSG_ERROR && head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        return ((const struct nlmsgerr *)NLMSG_DATA(head))->error == -ENOENT ? BERTH_OWNER_ELSEWHERE
                                                                             : BERTH_OWNER_UNKNOWN;
    if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        head->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
        return BERTH_OWNER_UNKNOWN;
    return read_socket(NLMSG_DATA(head), request, ret_uid);
}

/* The kernel answers before send returns. Skip stale answers to earlier requests. */
static const struct nlmsghdr *receive(int diag_fd, void *bytes, size_t space, guint32 sequence)
{
    const struct nlmsghdr *head = bytes;
    for (;;) {
        ssize_t size = recv(diag_fd, bytes, space, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < (ssize_t)sizeof(*head))
            return NULL;
        if (head->nlmsg_seq == sequence)
            return NLMSG_OK(head, (size_t)size) ? head : NULL;
    }
}

BerthOwnerAnswer berth_owner_find(int diag_fd, int fd, uid_t *ret_uid)
{
    Request request;
    union {
        struct nlmsghdr head;
        char bytes[4096];
    } answer;
    if (!make_request(fd, &request) ||
        send(diag_fd, &request, sizeof(request), 0) != (ssize_t)sizeof(request))
        return BERTH_OWNER_UNKNOWN;
    const struct nlmsghdr *head = receive(diag_fd, &answer, sizeof(answer), request.head.nlmsg_seq);
    return head != NULL ? read_answer(head, &request, ret_uid) : BERTH_OWNER_UNKNOWN;
}

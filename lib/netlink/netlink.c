/* SPDX-License-Identifier: MIT */
#include "netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The kernel sizes a dump's datagrams to the reader's buffer, up to 32 KiB (netlink(7)). */
#define ANSWER_MAX 32768u

typedef union {
    struct nlmsghdr header;
    char bytes[ANSWER_MAX];
} Answer;

/* Results of a message, besides -errno. */
enum { NETLINK_ENDS, NETLINK_GOES_ON };

static bool set_up(Netlink *netlink, uint32_t groups)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    const struct timeval wait = {.tv_sec = NETLINK_WAIT_SEC};
    if (bind(netlink->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        setsockopt(netlink->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
        getsockname(netlink->fd, (struct sockaddr *)&address, &(socklen_t){sizeof(address)}) < 0)
        return false;
    netlink->port = address.nl_pid;
    return true;
}

int netlink_open(Netlink *netlink, int protocol, uint32_t groups)
{
    *netlink = (Netlink){.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)};
    if (netlink->fd < 0)
        return -errno;
    if (set_up(netlink, groups))
        return 0;
    int problem = errno;
    close(netlink->fd);
    netlink->fd = -1;
    return -problem;
}

static int ask(Netlink *netlink, struct nlmsghdr *question, unsigned flags)
{
    question->nlmsg_flags |= (uint16_t)(NLM_F_REQUEST | flags);
    question->nlmsg_seq = ++netlink->sequence;
    question->nlmsg_pid = netlink->port;
    ssize_t size;
    do
        size = send(netlink->fd, question, question->nlmsg_len, 0);
    while (size < 0 && errno == EINTR);
    return size < 0 ? -errno : 0;
}

/* Receive one datagram from the kernel: its size, or -errno; -EINTR when datagrams were lost. */
static ssize_t receive(const Netlink *netlink, Answer *answer)
{
    for (;;) {
        struct sockaddr_nl sender = {0};
        struct iovec space = {.iov_base = answer, .iov_len = sizeof(*answer)};
        struct msghdr message = {
            .msg_name = &sender, .msg_namelen = sizeof(sender), .msg_iov = &space, .msg_iovlen = 1};
        ssize_t size = recvmsg(netlink->fd, &message, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return errno == ENOBUFS || errno == EAGAIN ? -EINTR : -errno;
        if (size == 0)
            return -EIO;
        if (message.msg_namelen >= sizeof(sender) && sender.nl_pid != 0)
            continue; /* not from the kernel */
        return (message.msg_flags & MSG_TRUNC) != 0 ? -EMSGSIZE : size;
    }
}

/* The result in an ERROR or a DONE: 0 or -errno. A DONE may be empty. */
static int end_result(const struct nlmsghdr *header)
{
    int error = header->nlmsg_type == NLMSG_DONE ? 0 : -EPROTO;
    if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(error)))
        memcpy(&error, NLMSG_DATA(header), sizeof(error));
    return error <= 0 ? error : -EPROTO;
}

static int handle_message(const struct nlmsghdr *header, const NetlinkDump *dump, void *data)
{
    if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0 || header->nlmsg_type == NLMSG_OVERRUN)
        return -EINTR;
    if (header->nlmsg_type == NLMSG_ERROR || header->nlmsg_type == NLMSG_DONE)
        return end_result(header);
    if (header->nlmsg_type != NLMSG_NOOP && dump != NULL)
        dump->message(data, header);
    return NETLINK_GOES_ON;
}

/* Handle the messages of one datagram. */
static int handle_answer(const Netlink *netlink, const Answer *answer, size_t size,
                         const NetlinkDump *dump, void *data)
{
    const struct nlmsghdr *header = &answer->header;
    while (size > 0) {
        if (size < sizeof(*header) || header->nlmsg_len < sizeof(*header) ||
            header->nlmsg_len > size)
            return -EPROTO;
        bool ours = header->nlmsg_seq == netlink->sequence && header->nlmsg_pid == netlink->port;
        int result = ours ? handle_message(header, dump, data) : NETLINK_GOES_ON;
        if (result != NETLINK_GOES_ON)
            return result;
        size_t step = NLMSG_ALIGN(header->nlmsg_len);
        if (step >= size)
            break;
        header = (const void *)((const char *)header + step);
        size -= step;
    }
    return NETLINK_GOES_ON;
}

static int receive_answer(const Netlink *netlink, const NetlinkDump *dump, void *data)
{
    Answer answer;
    int result;
    do {
        ssize_t size = receive(netlink, &answer);
        result = size < 0 ? (int)size : handle_answer(netlink, &answer, (size_t)size, dump, data);
    } while (result == NETLINK_GOES_ON);
    return result;
}

int netlink_dump(Netlink *netlink, struct nlmsghdr *question, const NetlinkDump *dump, void *data)
{
    int result = -EINTR;
    for (int i = 0; i < NETLINK_TRIES && result == -EINTR; i++) {
        dump->begin(data);
        result = ask(netlink, question, NLM_F_DUMP);
        if (result == 0)
            result = receive_answer(netlink, dump, data);
        if (result == -EBUSY) /* the previous dump is still running */
            result = -EINTR;
    }
    return result;
}

int netlink_request(Netlink *netlink, struct nlmsghdr *question)
{
    int result = ask(netlink, question, NLM_F_ACK);
    return result < 0 ? result : receive_answer(netlink, NULL, NULL);
}

void netlink_drain(int fd)
{
    char bytes[4096];
    ssize_t size;
    do
        size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    while (size > 0 || (size < 0 && (errno == EINTR || errno == ENOBUFS)));
}

/* ---- attributes ---- */

NetlinkAttributes netlink_attributes(const void *bytes, size_t size)
{
    return (NetlinkAttributes){.next = bytes, .left = size};
}

NetlinkAttributes netlink_message_attributes(const struct nlmsghdr *header, size_t fixed)
{
    size_t start = NLMSG_ALIGN(NLMSG_LENGTH(fixed));
    if (header->nlmsg_len <= start)
        return (NetlinkAttributes){0};
    return netlink_attributes((const char *)header + start, header->nlmsg_len - start);
}

bool netlink_attribute(NetlinkAttributes *attributes)
{
    struct nlattr header;
    if (attributes->left < sizeof(header))
        return false;
    memcpy(&header, attributes->next, sizeof(header));
    if (header.nla_len < NLA_HDRLEN || header.nla_len > attributes->left)
        return false;
    attributes->type = header.nla_type & NLA_TYPE_MASK;
    attributes->value = attributes->next + NLA_HDRLEN;
    attributes->size = header.nla_len - NLA_HDRLEN;
    size_t step = NLA_ALIGN(header.nla_len);
    if (step > attributes->left)
        step = attributes->left;
    attributes->next += step;
    attributes->left -= step;
    return true;
}

bool netlink_put(struct nlmsghdr *header, size_t capacity, uint16_t type, const void *value,
                 size_t size)
{
    size_t start = NLMSG_ALIGN(header->nlmsg_len);
    size_t length = NLA_HDRLEN + size;
    if (start + NLA_ALIGN(length) > capacity || length > UINT16_MAX)
        return false;
    char *to = (char *)header + start;
    const struct nlattr attribute = {.nla_len = (uint16_t)length, .nla_type = type};
    memset(to, 0, NLA_ALIGN(length));
    memcpy(to, &attribute, sizeof(attribute));
    if (size > 0)
        memcpy(to + NLA_HDRLEN, value, size);
    header->nlmsg_len = (uint32_t)(start + NLA_ALIGN(length));
    return true;
}

size_t netlink_nest(struct nlmsghdr *header, size_t capacity, uint16_t type)
{
    size_t start = NLMSG_ALIGN(header->nlmsg_len);
    return netlink_put(header, capacity, type, NULL, 0) ? start : 0;
}

void netlink_nest_end(struct nlmsghdr *header, size_t nest)
{
    struct nlattr attribute;
    char *at = (char *)header + nest;
    memcpy(&attribute, at, sizeof(attribute));
    attribute.nla_len = (uint16_t)(header->nlmsg_len - nest);
    memcpy(at, &attribute, sizeof(attribute));
}

/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include "client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

typedef union {
    BerthNetRequest request;
    BerthNetAccessRequest access;
} Message;

static bool send_reply(int fd, const BerthNetReply *reply)
{
    ssize_t sent;
    do
        sent = send(fd, reply, sizeof(*reply), MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof(*reply);
}

static void add(BerthStack *stack, int fd, const Message *message, BerthNetReply *reply)
{
    reply->errnum = berth_stack_add(stack, &message->request.rule);
}

static void drop(BerthStack *stack, int fd, const Message *message, BerthNetReply *reply)
{
    reply->errnum = berth_stack_remove(stack, &message->request.rule);
}

static void count(BerthStack *stack, int fd, const Message *message, BerthNetReply *reply)
{
    reply->counters = berth_stack_counters(stack);
}

static void set_access(BerthStack *stack, int fd, const Message *message, BerthNetReply *reply)
{
    reply->errnum = berth_stack_set_access(stack, &message->access.access);
}

static void set_name(BerthStack *stack, int fd, const Message *message, BerthNetReply *reply)
{
    const char *name = message->request.entry.name;
    BerthInternalNames *names = berth_dns_names(berth_stack_dns(stack));
    if (memchr(name, '\0', BERTH_NAME_SIZE) == NULL ||
        !berth_internal_names_set(names, message->request.entry.slot, name))
        reply->errnum = EINVAL;
}

static void set_resolvers(BerthStack *stack, int fd, const Message *message, BerthNetReply *reply)
{
    reply->errnum = message->request.resolvers.count <= BERTH_RESOLVERS_MAX ? 0 : EINVAL;
    berth_dns_set_servers(berth_stack_dns(stack), &message->request.resolvers);
}

/* Blocks, as replies do: the keeper always reads. */
static void on_wake(gpointer user_data)
{
    const BerthNetReply notice = {.wakes = true};
    send_reply(GPOINTER_TO_INT(user_data), &notice);
}

static void watch(BerthStack *stack, int fd, const Message *message, BerthNetReply *reply)
{
    reply->wait_usec = berth_stack_watch(stack, on_wake, GINT_TO_POINTER(fd));
}

static const struct {
    guint32 op;
    gsize size; /* of the request */
    void (*carry_out)(BerthStack *stack, int fd, const Message *message, BerthNetReply *reply);
} ops[] = {
    {BERTH_NET_ADD, sizeof(BerthNetRequest), add},
    {BERTH_NET_REMOVE, sizeof(BerthNetRequest), drop},
    {BERTH_NET_COUNTERS, sizeof(BerthNetRequest), count},
    {BERTH_NET_ACCESS, sizeof(BerthNetAccessRequest), set_access},
    {BERTH_NET_NAME, sizeof(BerthNetRequest), set_name},
    {BERTH_NET_WATCH, sizeof(BerthNetRequest), watch},
    {BERTH_NET_RESOLVERS, sizeof(BerthNetRequest), set_resolvers},
};

/* False when the request does not have the size of its op. */
static bool carry_out(BerthStack *stack, int fd, const Message *message, gsize size,
                      BerthNetReply *reply)
{
    if (size < sizeof(BerthNetRequest))
        return false;
    reply->id = message->request.id;
    for (gsize i = 0; i < G_N_ELEMENTS(ops); i++) {
        if (ops[i].op != message->request.op)
            continue;
        if (ops[i].size == size)
            ops[i].carry_out(stack, fd, message, reply);
        return ops[i].size == size;
    }
    reply->errnum = ENOSYS;
    return size == sizeof(BerthNetRequest);
}

bool berth_serve(BerthStack *stack, int fd, gpointer user_data)
{
    for (;;) {
        Message message;
        ssize_t size = recv(fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        BerthNetReply reply = {0};
        if (size <= 0 || (gsize)size > sizeof(message) ||
            !carry_out(stack, fd, &message, (gsize)size, &reply) || !send_reply(fd, &reply))
            return false;
    }
}

void berth_serve_refused(guint16 port, gpointer user_data)
{
    const BerthNetReply notice = {.refused_port = port};
    send_reply(GPOINTER_TO_INT(user_data), &notice);
}

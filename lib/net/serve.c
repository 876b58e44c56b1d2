/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include "control.h"

#include <errno.h>
#include <sys/socket.h>

static void carry_out(BerthStack *stack, const BerthNetRequest *request, BerthNetReply *reply)
{
    switch (request->op) {
    case BERTH_NET_ADD:
        reply->errnum = berth_stack_add(stack, &request->rule);
        break;
    case BERTH_NET_REMOVE:
        reply->errnum = berth_stack_remove(stack, &request->rule);
        break;
    case BERTH_NET_COUNTERS:
        reply->counters = *berth_stack_counters(stack);
        break;
    default:
        reply->errnum = ENOSYS;
    }
}

static bool send_reply(int fd, const BerthNetReply *reply)
{
    ssize_t sent;
    do
        sent = send(fd, reply, sizeof(*reply), MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof(*reply);
}

bool berth_serve(BerthStack *stack, int fd, gpointer user_data)
{
    for (;;) {
        BerthNetRequest request;
        ssize_t size = recv(fd, &request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (size != (ssize_t)sizeof(request))
            return false;

        BerthNetReply reply = {.id = request.id};
        carry_out(stack, &request, &reply);
        if (!send_reply(fd, &reply))
            return false;
    }
}

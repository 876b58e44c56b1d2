/* SPDX-License-Identifier: MIT */
#include "client.h"

#include "base/error.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A request that has no reply yet. */
typedef struct {
    guint32 id;
    gsize size;               /* of the request */
    BerthNetRequest *request; /* owned; @size bytes */
    BerthNetDone done;        /* or NULL */
    void (*counters_done)(int errnum, const BerthStackCounters *counters, gpointer user_data);
    void (*begun)(int errnum, gint64 wait_usec, gpointer user_data); /* of a watch, as on_wake */
    void (*on_wake)(gpointer user_data);
    gpointer user_data;
} Call;

struct BerthNet {
    int fd;
    GPid pid; /* 0 once reaped */
    guint32 last_id;
    GHashTable *calls; /* id -> Call*, owned: sent or queued */
    GQueue unsent;     /* Call*, borrowed from calls */
    GSource *readable;
    GSource *writable; /* while calls are unsent */
    GSource *child;
    const BerthNetEvents *events;
    gpointer user_data;
    void (*on_wake)(gpointer user_data); /* NULL unless berth-net watches */
    gpointer wake_user_data;
};

static void drop_source(GSource **source)
{
    if (*source == NULL)
        return;
    g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

static void attach(GSource *source)
{
    g_source_attach(source, g_main_context_get_thread_default());
}

/* --- calls --- */

static void finish_call(Call *call, const BerthNetReply *reply)
{
    if (call->counters_done != NULL)
        call->counters_done(reply->errnum, reply->errnum == 0 ? &reply->counters : NULL,
                            call->user_data);
    else if (call->begun != NULL)
        call->begun(reply->errnum, reply->wait_usec, call->user_data);
    else if (call->done != NULL)
        call->done(reply->errnum, call->user_data);
    g_free(call->request);
    g_free(call);
}

static gint compare_calls(gconstpointer left, gconstpointer right)
{
    guint32 a = ((const Call *)left)->id;
    guint32 b = ((const Call *)right)->id;
    return a < b ? -1 : a > b;
}

/* Complete every pending call with @errnum, in the order of the requests. */
static void finish_all(BerthNet *net, int errnum)
{
    const BerthNetReply reply = {.errnum = errnum};
    g_queue_clear(&net->unsent);
    g_autoptr(GList) calls = g_list_sort(g_hash_table_get_values(net->calls), compare_calls);
    g_hash_table_steal_all(net->calls);
    for (GList *each = calls; each != NULL; each = each->next)
        finish_call(each->data, &reply);
}

/* Send queued calls. True when none is left; a broken socket counts too, since on_readable reports
 * it. */
static bool send_calls(BerthNet *net)
{
    const Call *call;
    while ((call = g_queue_peek_head(&net->unsent)) != NULL) {
        ssize_t sent = send(net->fd, call->request, call->size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno != EAGAIN && errno != ENOBUFS;
        g_queue_pop_head(&net->unsent);
    }
    return true;
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthNet *net = user_data;
    if (send_calls(net))
        drop_source(&net->writable);
    return G_SOURCE_CONTINUE;
}

/* Complete calls made after the process ended. */
static gboolean on_gone(gpointer user_data)
{
    BerthNet *net = user_data;
    drop_source(&net->writable);
    finish_all(net, ECONNRESET);
    return G_SOURCE_REMOVE;
}

/* A request of @op, @size bytes, zero but for its header. */
static Call *new_call(BerthNet *net, BerthNetOp op, gsize size)
{
    Call *call = g_new0(Call, 1);
    call->id = ++net->last_id;
    call->size = size;
    call->request = g_malloc0(size);
    call->request->id = call->id;
    call->request->op = op;
    return call;
}

static void start_call(BerthNet *net, Call *call)
{
    g_hash_table_insert(net->calls, GUINT_TO_POINTER(call->id), call);
    g_queue_push_tail(&net->unsent, call);
    if (net->writable != NULL)
        return;

    if (net->fd >= 0) {
        net->writable = g_unix_fd_source_new(net->fd, G_IO_OUT);
        g_source_set_callback(net->writable, G_SOURCE_FUNC(on_writable), net, NULL);
    } else {
        net->writable = g_idle_source_new();
        g_source_set_callback(net->writable, on_gone, net, NULL);
    }
    attach(net->writable);
}

/* --- replies, and the end of the process --- */

static void close_control(BerthNet *net)
{
    drop_source(&net->readable);
    drop_source(&net->writable);
    berth_fd_close(&net->fd);
}

static void handle_notice(BerthNet *net, const BerthNetReply *notice)
{
    void (*on_wake)(gpointer user_data) = net->on_wake;
    if (!notice->wakes) {
        if (net->events->refused != NULL)
            net->events->refused(notice->refused_port, net->user_data);
    } else if (on_wake != NULL) {
        net->on_wake = NULL;
        on_wake(net->wake_user_data);
    }
}

/* A notice that came before this reply was of a former watch. */
static void begin_watch(BerthNet *net, const Call *call)
{
    net->on_wake = call->on_wake;
    net->wake_user_data = call->user_data;
}

/* Handle one reply per dispatch: the callback may free @net. */
static gboolean on_readable(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthNet *net = user_data;
    BerthNetReply reply;
    ssize_t size = recv(fd, &reply, sizeof(reply), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;

    if (size == (ssize_t)sizeof(reply) && reply.id == 0) {
        handle_notice(net, &reply);
        return G_SOURCE_CONTINUE;
    }
    gpointer call = NULL;
    if (size != (ssize_t)sizeof(reply) ||
        !g_hash_table_steal_extended(net->calls, GUINT_TO_POINTER(reply.id), NULL, &call)) {
        /* EOF, or not berth-net of this build; on_child_exit reports the end. */
        drop_source(&net->readable);
        kill(net->pid, SIGKILL);
        return G_SOURCE_CONTINUE;
    }
    if (((Call *)call)->on_wake != NULL)
        begin_watch(net, call);
    finish_call(call, &reply);
    return G_SOURCE_CONTINUE;
}

static void on_child_exit(GPid pid, gint status, gpointer user_data)
{
    BerthNet *net = user_data;
    net->pid = 0;
    close_control(net);
    finish_all(net, ECONNRESET);
    if (net->events->exited != NULL)
        net->events->exited(net, net->user_data);
}

/* --- the process --- */

static bool spawn(BerthNet *net, const char *program, int frames_fd, int control_fd,
                  const BerthNetSetup *setup, GError **error)
{
    char mtu[16], prefix[INET6_ADDRSTRLEN];
    g_snprintf(mtu, sizeof(mtu), "%u", setup->mtu);
    inet_ntop(AF_INET6, setup->prefix6, prefix, sizeof(prefix));
    const char *const argv[] = {program, mtu, prefix, setup->owner_only ? "owner-only" : NULL,
                                NULL};
    const int from[] = {frames_fd, control_fd};
    const int to[] = {BERTH_NET_FRAMES_FD, BERTH_NET_CONTROL_FD};

    g_autoptr(GError) failure = NULL;
    if (g_spawn_async_with_pipes_and_fds(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                         -1, -1, -1, from, to, G_N_ELEMENTS(from), &net->pid, NULL,
                                         NULL, NULL, &failure))
        return true;
    bool missing = g_error_matches(failure, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
    berth_error_set(error, missing ? BERTH_ERROR_NOT_FOUND : BERTH_ERROR_FAILED,
                    missing ? "net.start.missing" : "net.start.failed", NULL,
                    "start the network of the guest: %s", failure->message);
    return false;
}

BerthNet *berth_net_new(const char *program, int frames_fd, const BerthNetSetup *setup,
                        const BerthNetEvents *events, gpointer user_data, GError **error)
{
    int pair[2];
    if (berth_fd_socketpair(SOCK_SEQPACKET, pair) < 0) {
        berth_error_set_errno(error, errno, "net.start", "start the network of the guest");
        return NULL;
    }

    g_autoptr(BerthNet) net = g_new0(BerthNet, 1);
    berth_autofd int theirs = pair[1];
    net->fd = pair[0];
    net->calls = g_hash_table_new(NULL, NULL);
    g_queue_init(&net->unsent);
    if (!spawn(net, program, frames_fd, theirs, setup, error))
        return NULL;

    net->events = events;
    net->user_data = user_data;
    net->readable = g_unix_fd_source_new(net->fd, G_IO_IN);
    g_source_set_callback(net->readable, G_SOURCE_FUNC(on_readable), net, NULL);
    attach(net->readable);
    net->child = g_child_watch_source_new(net->pid);
    g_source_set_callback(net->child, G_SOURCE_FUNC(on_child_exit), net, NULL);
    attach(net->child);
    return g_steal_pointer(&net);
}

void berth_net_free(BerthNet *net)
{
    if (net == NULL)
        return;
    close_control(net);
    drop_source(&net->child);
    if (net->pid != 0) {
        /* It has no state to save, so kill it at once. */
        kill(net->pid, SIGKILL);
        while (waitpid(net->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    finish_all(net, ECANCELED);
    g_hash_table_unref(net->calls);
    g_free(net);
}

GPid berth_net_pid(const BerthNet *net)
{
    return net->pid;
}

/* --- requests --- */

static BerthEndpoint endpoint(guint8 family, const guint8 address[16], guint16 port)
{
    BerthEndpoint made = {.family = family, .port = port};
    memcpy(made.address, address, sizeof(made.address));
    return made;
}

static void change(BerthNet *net, BerthNetOp op, const BerthLeg *leg, BerthNetDone done,
                   gpointer user_data)
{
    Call *call = new_call(net, op, sizeof(BerthNetRequest));
    call->request->rule = (BerthStackRule){
        .protocol = (guint8)leg->protocol,
        .host = endpoint(leg->family, leg->host, leg->host_port),
        .guest = endpoint(leg->family, leg->guest, leg->guest_port),
    };
    call->done = done;
    call->user_data = user_data;
    start_call(net, call);
}

void berth_net_add(BerthNet *net, const BerthLeg *leg, BerthNetDone done, gpointer user_data)
{
    change(net, BERTH_NET_ADD, leg, done, user_data);
}

void berth_net_remove(BerthNet *net, const BerthLeg *leg, BerthNetDone done, gpointer user_data)
{
    change(net, BERTH_NET_REMOVE, leg, done, user_data);
}

void berth_net_set_access(BerthNet *net, const BerthAccess *access)
{
    Call *call = new_call(net, BERTH_NET_ACCESS, sizeof(BerthNetAccessRequest));
    ((BerthNetAccessRequest *)(void *)call->request)->access = *access;
    start_call(net, call);
}

void berth_net_set_resolvers(BerthNet *net, const BerthResolvers *resolvers)
{
    Call *call = new_call(net, BERTH_NET_RESOLVERS, sizeof(BerthNetRequest));
    call->request->resolvers = *resolvers;
    start_call(net, call);
}

void berth_net_set_name(BerthNet *net, guint slot, const char *name)
{
    if (strlen(name) >= BERTH_NAME_SIZE)
        return;
    Call *call = new_call(net, BERTH_NET_NAME, sizeof(BerthNetRequest));
    call->request->entry.slot = slot;
    g_strlcpy(call->request->entry.name, name, BERTH_NAME_SIZE);
    start_call(net, call);
}

void berth_net_watch(BerthNet *net, void (*begun)(int errnum, gint64 wait_usec, gpointer user_data),
                     void (*on_wake)(gpointer user_data), gpointer user_data)
{
    Call *call = new_call(net, BERTH_NET_WATCH, sizeof(BerthNetRequest));
    call->begun = begun;
    call->on_wake = on_wake;
    call->user_data = user_data;
    net->on_wake = NULL;
    start_call(net, call);
}

void berth_net_get_counters(BerthNet *net,
                            void (*done)(int errnum, const BerthStackCounters *counters,
                                         gpointer user_data),
                            gpointer user_data)
{
    Call *call = new_call(net, BERTH_NET_COUNTERS, sizeof(BerthNetRequest));
    call->counters_done = done;
    call->user_data = user_data;
    start_call(net, call);
}

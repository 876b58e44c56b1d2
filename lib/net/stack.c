/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include "address.h"
#include "base/error.h"
#include "base/fd.h"
#include "model/forward.h"
#include "reject.h"
#include "replies.h"

#include <errno.h>
#include <libslirp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>

/* libslirp grew a poll interface of its own in 4.9; before it, descriptors were plain ints. */
#if SLIRP_CONFIG_VERSION_MAX >= 6
#define CONFIG_VERSION 6
#define POLLFDS_FILL   slirp_pollfds_fill_socket
#else
#define CONFIG_VERSION 4
#define POLLFDS_FILL   slirp_pollfds_fill
typedef int slirp_os_socket;
#endif

#define FRAME_MAX     (BERTH_MTU_MAX + 14u + 4u) /* with an Ethernet header and some slack */
#define FRAMES_A_TURN 64u                        /* so that sockets get their turn under a flood */
#define SEND_BUFFER   (4 * 1024 * 1024)          /* asked for; the host's wmem_max decides */
#define FRAME_COST    128u                       /* of a frame that waits, beside its bytes */
#define SPARE_FDS     64u /* kept for resolv.conf and connections going out */

/* Without frames to or from libslirp for so long, no retransmission is due (the longest gap is 64
 * s) and no flow is left to age but those that own a descriptor. */
#define QUIET_USEC (75 * G_USEC_PER_SEC)

/* The first descriptors of a poll are ours. */
enum { POLL_FRAMES, POLL_CALLER, POLL_OURS };

typedef struct {
    BerthStackRule rule;
    int fd; /* libslirp's listener; -1 for UDP */
} Forward;

struct BerthStack {
    Slirp *slirp;
    int frames_fd;
    guint fd_limit;           /* of the process, when the loop started */
    GArray *polls;            /* struct pollfd */
    guint flows;              /* of them, neither ours nor listeners */
    GArray *forwards;         /* Forward */
    GHashTable *listener_fds; /* their descriptors, a set */
    BerthFilter filter;
    BerthAccess access;
    BerthReplies replies;
    guint16 told[BERTH_STACK_TOLD_MAX]; /* ports of the host */
    guint n_told;
    void (*on_refused)(guint16 port, gpointer user_data);
    gpointer user_data;
    GQueue waiting; /* GBytes*: frames to the guest, oldest first */
    gsize waiting_size;
    gint64 last_frame_usec;
    BerthStackCounters counters;
    guint8 frame[FRAME_MAX];
};

/* --- frames to the guest --- */

static bool guest_is_full(int errnum)
{
    return errnum == EAGAIN || errnum == ENOBUFS || errnum == EINTR;
}

/* Whether the guest took it or never will; false when it should be tried again later. */
static bool try_send(BerthStack *stack, const void *frame, gsize size)
{
    if (send(stack->frames_fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        stack->counters.frames_out++;
        stack->counters.bytes_out += size;
        return true;
    }
    if (guest_is_full(errno))
        return false;
    stack->counters.dropped++; /* QEMU has gone */
    return true;
}

static void send_or_keep(BerthStack *stack, const void *frame, gsize size)
{
    if (g_queue_is_empty(&stack->waiting) && try_send(stack, frame, size))
        return;
    if (stack->waiting_size + size + FRAME_COST > BERTH_STACK_QUEUE_MAX) {
        stack->counters.dropped++;
        return;
    }
    g_queue_push_tail(&stack->waiting, g_bytes_new(frame, size));
    stack->waiting_size += size + FRAME_COST;
    stack->counters.waited++;
}

/* A datagram from where the guest may not go by itself: a forward's client, who may be answered. */
static void note_sender(BerthStack *stack, const guint8 *frame, gsize size)
{
    BerthPacket packet;
    if (!berth_packet_read(frame, size, &packet) || packet.protocol != IPPROTO_UDP ||
        packet.size < 2)
        return;
    guint16 port = berth_packet_u16(packet.payload);
    if (berth_filter_policy(&stack->filter, packet.family, packet.source, port) !=
        BERTH_FILTER_PASS)
        berth_replies_note(&stack->replies, &packet, stack->last_frame_usec);
}

static ssize_t on_send_packet(const void *frame, size_t size, void *opaque)
{
    BerthStack *stack = opaque;
    stack->last_frame_usec = g_get_monotonic_time();
    note_sender(stack, frame, size);
    send_or_keep(stack, frame, size);
    return (ssize_t)size;
}

static void send_waiting(BerthStack *stack)
{
    GBytes *next;
    while ((next = g_queue_peek_head(&stack->waiting)) != NULL) {
        gsize size;
        gconstpointer frame = g_bytes_get_data(next, &size);
        if (!try_send(stack, frame, size))
            return;
        stack->waiting_size -= size + FRAME_COST;
        g_bytes_unref(g_queue_pop_head(&stack->waiting));
    }
}

/* --- frames from the guest --- */

/* The next frame's size, 0 when there is none. */
static gsize receive_frame(BerthStack *stack)
{
    ssize_t size;
    do
        size = recv(stack->frames_fd, stack->frame, FRAME_MAX, MSG_DONTWAIT | MSG_TRUNC);
    while (size < 0 && errno == EINTR);
    return size > 0 ? (gsize)size : 0;
}

/* Say once for each port of the host that it is not open to the guest. */
static void tell_refused(BerthStack *stack, const BerthPacket *packet)
{
    if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6 ||
        !berth_filter_is_gateway(&stack->filter, packet->family, packet->destination))
        return;
    guint16 port = berth_packet_u16(packet->payload + 2);
    for (guint i = 0; i < stack->n_told; i++)
        if (stack->told[i] == port)
            return;
    if (stack->n_told == BERTH_STACK_TOLD_MAX || stack->on_refused == NULL)
        return;
    stack->told[stack->n_told++] = port;
    stack->on_refused(port, stack->user_data);
}

/* What the policy refuses and yet answers a forward's client passes; the rest is answered. */
static BerthFilterVerdict refuse(BerthStack *stack, BerthFilterVerdict verdict, gsize size)
{
    BerthPacket packet;
    bool read = berth_packet_read(stack->frame, size, &packet);
    g_assert(read); /* the filter has */
    if (berth_replies_expect(&stack->replies, &packet, g_get_monotonic_time()))
        return BERTH_FILTER_PASS;
    if (verdict == BERTH_FILTER_EARLY)
        return verdict;

    guint8 answer[BERTH_REJECT_MAX];
    gsize answer_size = berth_reject_frame(
        stack->frame, size, verdict == BERTH_FILTER_PORT ? BERTH_REJECT_PORT : BERTH_REJECT_POLICY,
        answer);
    if (answer_size > 0)
        send_or_keep(stack, answer, answer_size);
    if (verdict == BERTH_FILTER_PORT)
        tell_refused(stack, &packet);
    return verdict;
}

static BerthFilterVerdict judge(BerthStack *stack, gsize size)
{
    if (size > FRAME_MAX)
        return BERTH_FILTER_MALFORMED;
    BerthFilterVerdict verdict = berth_filter_frame(&stack->filter, stack->frame, size);
    return verdict >= BERTH_FILTER_EARLY ? refuse(stack, verdict, size) : verdict;
}

static void take_frames(BerthStack *stack)
{
    guint taken = 0;
    bool passed = false;
    gsize size;
    while (taken < FRAMES_A_TURN && (size = receive_frame(stack)) > 0) {
        BerthFilterVerdict verdict = judge(stack, size);
        taken++;
        stack->counters.verdicts[verdict]++;
        if (verdict != BERTH_FILTER_PASS)
            continue;
        passed = true;
        stack->counters.bytes_in += size;
        slirp_input(stack->slirp, stack->frame, (int)size);
    }
    if (!passed)
        return;

    stack->last_frame_usec = g_get_monotonic_time();
    /* What was held back for an ARP answer leaves only from here; no descriptors are looked at. */
    slirp_pollfds_poll(stack->slirp, 1, NULL, stack);
}

/* --- libslirp's callbacks --- */

static void on_guest_error(const char *message, void *opaque)
{
    g_debug("net: guest: %s", message);
}

static int64_t on_clock_get_ns(void *opaque)
{
    return g_get_monotonic_time() * 1000;
}

/* libslirp's one timer advertises a router every few minutes, to a guest that has been told of it
 * and does not listen. It never runs. */
static void *on_timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
    return opaque;
}

static void on_timer_free(void *timer, void *opaque)
{
}

static void on_timer_mod(void *timer, int64_t expire_msec, void *opaque)
{
}

static void on_notify(void *opaque)
{
    /* Wakes a loop in another thread; ours is this one. */
}

static void on_poll_socket(slirp_os_socket fd, void *opaque)
{
    /* For systems whose poll must know descriptors beforehand. */
}

static const SlirpCb callbacks = {
    .send_packet = on_send_packet,
    .guest_error = on_guest_error,
    .clock_get_ns = on_clock_get_ns,
    .timer_new_opaque = on_timer_new,
    .timer_free = on_timer_free,
    .timer_mod = on_timer_mod,
    .notify = on_notify,
#if SLIRP_CONFIG_VERSION_MAX >= 6
    .register_poll_socket = on_poll_socket,
    .unregister_poll_socket = on_poll_socket,
#else
    .register_poll_fd = on_poll_socket,
    .unregister_poll_fd = on_poll_socket,
#endif
};

/* --- making and ending --- */

static struct in6_addr address6(const guint8 *prefix, guint8 number)
{
    struct in6_addr address;
    memcpy(&address, prefix, sizeof(address));
    address.s6_addr[15] = number;
    return address;
}

static Slirp *open_slirp(BerthStack *stack, const BerthStackSetup *setup)
{
    const SlirpConfig config = {
        .version = CONFIG_VERSION,
        .in_enabled = true,
        .vnetwork.s_addr = htonl(BERTH_ADDRESS_NETWORK),
        .vnetmask.s_addr = htonl(BERTH_ADDRESS_MASK),
        .vhost.s_addr = htonl(BERTH_ADDRESS_HOST),
        .vnameserver.s_addr = htonl(BERTH_ADDRESS_DNS),
        .vdhcp_start.s_addr = htonl(BERTH_ADDRESS_GUEST),
        .in6_enabled = true,
        .vprefix_addr6 = address6(setup->prefix6, 0),
        .vprefix_len = 64,
        .vhost6 = address6(setup->prefix6, BERTH_ADDRESS6_HOST),
        .vnameserver6 = address6(setup->prefix6, BERTH_ADDRESS6_DNS),
        .if_mtu = setup->mtu,
        .if_mru = setup->mtu,
        .disable_dhcp = true,
    };
    return slirp_new(&config, &callbacks, stack);
}

BerthStack *berth_stack_new(const BerthStackSetup *setup, GError **error)
{
    g_autoptr(BerthStack) stack = g_new0(BerthStack, 1);
    stack->frames_fd = setup->frames_fd;
    stack->filter.access = &stack->access;
    stack->on_refused = setup->on_refused;
    stack->user_data = setup->user_data;
    memcpy(stack->filter.prefix6, setup->prefix6, sizeof(stack->filter.prefix6));
    stack->polls = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
    stack->forwards = g_array_new(FALSE, FALSE, sizeof(Forward));
    stack->listener_fds = g_hash_table_new(NULL, NULL);
    stack->last_frame_usec = g_get_monotonic_time();
    g_queue_init(&stack->waiting);

    /* A full socket only makes frames wait here instead, so a refusal does not matter. */
    setsockopt(setup->frames_fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BUFFER}, sizeof(int));

    if (setup->mtu >= BERTH_MTU_MIN && setup->mtu <= BERTH_MTU_MAX)
        stack->slirp = open_slirp(stack, setup);
    if (stack->slirp == NULL) {
        berth_error_set(error, BERTH_ERROR_FAILED, "net.stack", NULL,
                        "cannot start libslirp %s with an MTU of %u", slirp_version_string(),
                        setup->mtu);
        return NULL;
    }
    return g_steal_pointer(&stack);
}

void berth_stack_free(BerthStack *stack)
{
    if (stack == NULL)
        return;
    if (stack->slirp != NULL)
        slirp_cleanup(stack->slirp);
    g_queue_clear_full(&stack->waiting, (GDestroyNotify)g_bytes_unref);
    g_array_unref(stack->polls);
    g_array_unref(stack->forwards);
    g_hash_table_unref(stack->listener_fds);
    g_free(stack);
}

const BerthStackCounters *berth_stack_counters(const BerthStack *stack)
{
    return &stack->counters;
}

int berth_stack_set_access(BerthStack *stack, const BerthAccess *access)
{
    if (!berth_access_is_sound(access))
        return EINVAL;
    stack->access = *access;
    return 0;
}

/* --- forwards --- */

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
} Address;

/* Its length, or 0 when it is none. */
static socklen_t to_address(const BerthEndpoint *endpoint, Address *ret_address)
{
    *ret_address = (Address){0};
    if (endpoint->port == 0)
        return 0;
    if (endpoint->family == 4) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = htons(endpoint->port);
        memcpy(&ret_address->v4.sin_addr, endpoint->address, 4);
        return sizeof(ret_address->v4);
    }
    if (endpoint->family == 6) {
        ret_address->v6.sin6_family = AF_INET6;
        ret_address->v6.sin6_port = htons(endpoint->port);
        memcpy(&ret_address->v6.sin6_addr, endpoint->address, 16);
        return sizeof(ret_address->v6);
    }
    return 0;
}

static int rule_flags(const BerthStackRule *rule)
{
    return (rule->protocol == BERTH_UDP ? SLIRP_HOSTFWD_UDP : 0) |
           (rule->host.family == 6 ? SLIRP_HOSTFWD_V6ONLY : 0);
}

static bool rule_is_sound(const BerthStackRule *rule)
{
    static const guint8 any[16];
    return (rule->protocol == BERTH_TCP || rule->protocol == BERTH_UDP) &&
           rule->host.family == rule->guest.family && /* libslirp does not translate */
           memcmp(rule->guest.address, any, sizeof(any)) != 0;
}

static guint descriptor_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 1024 : (guint)MIN(limit.rlim_cur, 65536);
}

static bool listens_on(int fd, const Address *address, socklen_t size)
{
    int listening = 0;
    Address bound;
    socklen_t bound_size = sizeof(bound);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &(socklen_t){sizeof(int)}) == 0 &&
           listening && getsockname(fd, &bound.any, &bound_size) == 0 && bound_size == size &&
           memcmp(&bound, address, size) == 0;
}

/* libslirp does not tell which descriptor it opened. */
static int find_listener(const Address *address, socklen_t size)
{
    int limit = (int)descriptor_limit();
    for (int fd = 0; fd < limit; fd++)
        if (listens_on(fd, address, size))
            return fd;
    return -1;
}

/* Returns the listener, or -1. It also becomes non-blocking, should a client leave before accept.
 */
static int raise_backlog(const Address *address, socklen_t size)
{
    int fd = find_listener(address, size);
    if (fd < 0 || listen(fd, BERTH_STACK_BACKLOG) < 0 || berth_fd_set_nonblocking(fd, true) < 0)
        return -1;
    return fd;
}

static guint find_rule(const BerthStack *stack, const BerthStackRule *rule)
{
    guint i = 0;
    for (; i < stack->forwards->len; i++) {
        const BerthStackRule *other = &g_array_index(stack->forwards, Forward, i).rule;
        if (other->protocol == rule->protocol &&
            memcmp(&other->host, &rule->host, sizeof(rule->host)) == 0)
            break;
    }
    return i;
}

int berth_stack_add(BerthStack *stack, const BerthStackRule *rule)
{
    Address host, guest;
    socklen_t host_size = to_address(&rule->host, &host);
    socklen_t guest_size = to_address(&rule->guest, &guest);
    if (host_size == 0 || guest_size == 0 || !rule_is_sound(rule))
        return EINVAL;
    if (slirp_add_hostxfwd(stack->slirp, &host.any, host_size, &guest.any, guest_size,
                           rule_flags(rule)) < 0)
        return errno != 0 ? errno : EIO;

    Forward forward = {.rule = *rule, .fd = -1};
    if (rule->protocol == BERTH_TCP && (forward.fd = raise_backlog(&host, host_size)) < 0) {
        slirp_remove_hostxfwd(stack->slirp, &host.any, host_size, rule_flags(rule));
        return EIO;
    }
    if (forward.fd >= 0)
        g_hash_table_add(stack->listener_fds, GINT_TO_POINTER(forward.fd));
    g_array_append_val(stack->forwards, forward);
    return 0;
}

int berth_stack_remove(BerthStack *stack, const BerthStackRule *rule)
{
    guint index = find_rule(stack, rule);
    if (index == stack->forwards->len)
        return ENOENT;

    int fd = g_array_index(stack->forwards, Forward, index).fd;
    g_hash_table_remove(stack->listener_fds, GINT_TO_POINTER(fd));
    g_array_remove_index_fast(stack->forwards, index);
    Address host;
    socklen_t size = to_address(&rule->host, &host);
    return slirp_remove_hostxfwd(stack->slirp, &host.any, size, rule_flags(rule)) < 0 ? ENOENT : 0;
}

/* --- the loop --- */

static const struct {
    int slirp;
    short poll;
} event_bits[] = {
    {SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
    {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};

static void add_poll(BerthStack *stack, int fd, short events)
{
    struct pollfd entry = {.fd = fd, .events = events};
    g_array_append_val(stack->polls, entry);
}

/* A listener is not asked while descriptors run out: a connection that cannot be accepted would
 * keep it readable and the loop spinning. Its clients wait in the backlog. */
static int on_add_poll(slirp_os_socket fd, int events, void *opaque)
{
    BerthStack *stack = opaque;
    if (g_hash_table_contains(stack->listener_fds, GINT_TO_POINTER((int)fd))) {
        if (stack->flows + stack->forwards->len + SPARE_FDS > stack->fd_limit)
            return -1;
    } else {
        stack->flows++;
    }

    short wanted = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(event_bits); i++)
        if ((events & event_bits[i].slirp) != 0)
            wanted |= event_bits[i].poll;
    add_poll(stack, fd, wanted);
    return (int)stack->polls->len - 1;
}

static int on_get_revents(int index, void *opaque)
{
    BerthStack *stack = opaque;
    short got = g_array_index(stack->polls, struct pollfd, index).revents;
    int events = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(event_bits); i++)
        if ((got & event_bits[i].poll) != 0)
            events |= event_bits[i].slirp;
    return events;
}

/* How long to sleep at most, or -1. libslirp alone would wake up twice a second for each listener.
 */
static gint64 wait_usec(const BerthStack *stack, guint32 slirp_msec)
{
    bool quiet = g_get_monotonic_time() - stack->last_frame_usec > QUIET_USEC;
    return slirp_msec == G_MAXUINT32 || (stack->flows == 0 && quiet) ? -1
                                                                     : (gint64)slirp_msec * 1000;
}

/* As ppoll. */
static int wait_for_events(BerthStack *stack, int fd)
{
    guint32 slirp_msec = G_MAXUINT32;
    g_array_set_size(stack->polls, 0);
    stack->flows = 0;
    add_poll(stack, stack->frames_fd,
             g_queue_is_empty(&stack->waiting) ? POLLIN : POLLIN | POLLOUT);
    add_poll(stack, fd, POLLIN);
    POLLFDS_FILL(stack->slirp, &slirp_msec, on_add_poll, stack);

    gint64 wait = wait_usec(stack, slirp_msec);
    struct timespec timeout = {.tv_sec = wait / G_USEC_PER_SEC,
                               .tv_nsec = wait % G_USEC_PER_SEC * 1000};
    return ppoll((struct pollfd *)(void *)stack->polls->data, stack->polls->len,
                 wait < 0 ? NULL : &timeout, NULL);
}

int berth_stack_run(BerthStack *stack, int fd,
                    bool (*on_readable)(BerthStack *stack, int fd, gpointer user_data),
                    gpointer user_data)
{
    stack->fd_limit = descriptor_limit();
    for (;;) {
        int ready = wait_for_events(stack, fd);
        if (ready < 0 && errno != EINTR)
            return errno;

        slirp_pollfds_poll(stack->slirp, ready < 0, on_get_revents, stack);
        if (ready <= 0)
            continue;

        const struct pollfd *ours = (const struct pollfd *)(const void *)stack->polls->data;
        short frames = ours[POLL_FRAMES].revents;
        short caller = ours[POLL_CALLER].revents;
        if ((frames & POLLOUT) != 0)
            send_waiting(stack);
        if ((frames & (POLLIN | POLLERR | POLLHUP)) != 0)
            take_frames(stack);
        if (caller != 0 && !on_readable(stack, fd, user_data))
            return 0;
    }
}

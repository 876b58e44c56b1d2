/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include "address.h"
#include "base/error.h"
#include "nameserver.h"
#include "nat.h"
#include "reject.h"
#include "replies.h"

#include <errno.h>
#include <libslirp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

/* libslirp 4.9 introduced a type for descriptors in polls; before, they were int. */
#if SLIRP_CONFIG_VERSION_MAX >= 6
#define CONFIG_VERSION 6
#define POLLFDS_FILL   slirp_pollfds_fill_socket
#else
#define CONFIG_VERSION 4
#define POLLFDS_FILL   slirp_pollfds_fill
typedef int slirp_os_socket;
#endif

#define FRAME_MAX     (BERTH_MTU_MAX + 14u + 4u)    /* with an Ethernet header and slack */
#define FRAMES_A_TURN 64u                           /* so a flood does not starve sockets */
#define TCP_RST       0x04u                         /* TCP flag */
#define SPARE_FDS     (64u + BERTH_DNS_PENDING_MAX) /* reserved for outgoing connections */

/* After this long without frames no retransmission is due (the longest interval is 64 s) and only
 * flows that own a descriptor still have timers. */
#define QUIET_USEC (75 * G_USEC_PER_SEC)

/* Our own descriptors come first in the poll set. */
enum { POLL_FRAMES, POLL_CALLER, POLL_DNS, POLL_OURS };

struct BerthStack {
    Slirp *slirp;
    int caller_fd;  /* while the loop runs */
    guint fd_limit; /* of the process, when the loop started */
    GArray *polls;  /* struct pollfd */
    guint flows;    /* of libslirp in polls, without listeners */
    BerthHostfwd *listeners;
    gint64 frozen_usec; /* libslirp's clock while it is stopped, else 0 */
    int only_poll;      /* if not 0: index of the only descriptor reported to libslirp */
    BerthFilter filter;
    BerthAccess access;
    BerthReplies replies;
    guint16 refused[BERTH_STACK_REFUSED_MAX]; /* ports of the host already reported */
    guint n_refused;
    void (*on_refused)(guint16 port, gpointer user_data);
    gpointer user_data;
    bool handling_frames; /* acknowledgements may be held back */
    BerthOutbox outbox;
    gint64 last_frame_usec;
    BerthActivity activity;
    BerthStackCounters counters;
    void (*on_wake)(gpointer user_data); /* NULL unless watched */
    gpointer wake_user_data;
    BerthNameserver *nameserver;
    BerthNat nat;
    guint8 frame[FRAME_MAX + BERTH_NAT_GROWTH]; /* from the guest */
    guint8 translated[FRAME_MAX];
};

/* --- frames to the guest --- */

/* Record the sender of a datagram from an address closed to the guest: a forward's client, whom the
 * guest may answer. */
static void record_sender(BerthStack *stack, const guint8 *frame, gsize size)
{
    BerthPacket packet;
    if (!berth_packet_read(frame, size, &packet) || packet.protocol != IPPROTO_UDP ||
        packet.size < 2)
        return;
    guint16 port = berth_bytes_get_u16(packet.payload);
    if (berth_filter_policy(&stack->filter, packet.family, packet.source, port) !=
        BERTH_FILTER_PASS)
        berth_replies_record(&stack->replies, &packet, stack->last_frame_usec);
}

/* Record @frame, and report the first that wakes a suspended guest. */
static void report_wake(BerthStack *stack, const guint8 *frame, gsize size)
{
    bool wakes = berth_activity_to_guest(&stack->activity, frame, size, stack->last_frame_usec);
    if (stack->on_wake == NULL || !wakes)
        return;
    void (*on_wake)(gpointer user_data) = stack->on_wake;
    stack->on_wake = NULL;
    on_wake(stack->wake_user_data);
}

static ssize_t on_send_packet(const void *frame, size_t length, void *opaque)
{
    BerthStack *stack = opaque;
    gsize size = length;
    stack->last_frame_usec = g_get_monotonic_time();
    if (size <= FRAME_MAX)
        frame = berth_nat_to_guest(&stack->nat, frame, &size, stack->translated);
    record_sender(stack, frame, size);
    report_wake(stack, frame, size);
    berth_outbox_pass(&stack->outbox, frame, size, stack->handling_frames);
    return (ssize_t)length;
}

static void on_name_answer(const guint8 *frame, gsize size, gpointer user_data)
{
    BerthStack *stack = user_data;
    berth_outbox_send(&stack->outbox, frame, size);
}

/* --- frames from the guest --- */

/* The next frame's size, 0 when there is none. */
static gsize receive_frame(BerthStack *stack)
{
    ssize_t size;
    do
        size = recv(stack->outbox.fd, stack->frame, FRAME_MAX, MSG_DONTWAIT | MSG_TRUNC);
    while (size < 0 && errno == EINTR);
    return size > 0 ? (gsize)size : 0;
}

/* Report each refused port of the host once. */
static void report_refused(BerthStack *stack, const BerthPacket *packet)
{
    if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6 ||
        !berth_filter_is_gateway(&stack->filter, packet->family, packet->destination))
        return;
    guint16 port = berth_bytes_get_u16(packet->payload + 2);
    for (guint i = 0; i < stack->n_refused; i++)
        if (stack->refused[i] == port)
            return;
    if (stack->n_refused == BERTH_STACK_REFUSED_MAX || stack->on_refused == NULL)
        return;
    stack->refused[stack->n_refused++] = port;
    stack->on_refused(port, stack->user_data);
}

static void reject(BerthStack *stack, BerthRejectReason reason, gsize size)
{
    guint8 answer[BERTH_REJECT_MAX];
    gsize answer_size = berth_reject_frame(stack->frame, size, reason, answer);
    if (answer_size > 0)
        berth_outbox_send(&stack->outbox, answer, answer_size);
}

/* Pass a refused packet if it answers a forward's client; otherwise reject it. */
static BerthFilterVerdict refuse(BerthStack *stack, BerthFilterVerdict verdict, gsize size)
{
    BerthPacket packet;
    bool read = berth_packet_read(stack->frame, size, &packet);
    g_assert(read); /* the filter has parsed it already */
    if (berth_replies_expect(&stack->replies, &packet, g_get_monotonic_time()))
        return BERTH_FILTER_PASS;
    if (verdict == BERTH_FILTER_EARLY)
        return verdict;

    reject(stack, verdict == BERTH_FILTER_PORT ? BERTH_REJECT_PORT : BERTH_REJECT_POLICY, size);
    if (verdict == BERTH_FILTER_PORT)
        report_refused(stack, &packet);
    return verdict;
}

static BerthFilterVerdict judge(BerthStack *stack, gsize size)
{
    if (size > FRAME_MAX)
        return BERTH_FILTER_MALFORMED;
    BerthFilterVerdict verdict = berth_filter_frame(&stack->filter, stack->frame, size);
    return verdict >= BERTH_FILTER_EARLY ? refuse(stack, verdict, size) : verdict;
}

static guint32 fill_polls(BerthStack *stack);

static bool reset_client(BerthStack *stack, const BerthPacket *packet)
{
    for (guint i = POLL_OURS; i < stack->polls->len; i++)
        if (berth_hostfwd_reset(stack->listeners, g_array_index(stack->polls, struct pollfd, i).fd,
                                packet))
            return true;
    return false;
}

/* Forward the guest's reset to the client of a forward, where libslirp would only close. */
static void forward_reset(BerthStack *stack, gsize size)
{
    BerthPacket packet;
    if (!berth_packet_read(stack->frame, size, &packet) || packet.protocol != IPPROTO_TCP ||
        (packet.payload[13] & TCP_RST) == 0)
        return;
    if (reset_client(stack, &packet))
        return;
    fill_polls(stack); /* it may have been accepted in this turn */
    reset_client(stack, &packet);
}

/* Whether the frame was given to libslirp. */
static bool handle_frame(BerthStack *stack, gsize size)
{
    BerthFilterVerdict verdict = judge(stack, size);
    stack->counters.verdicts[verdict]++;
    if (verdict != BERTH_FILTER_PASS)
        return false;
    stack->counters.bytes_in += size;
    berth_activity_from_guest(&stack->activity, stack->frame, size, g_get_monotonic_time());
    size = berth_nat_from_guest(&stack->nat, stack->frame, size);
    BerthNameserverVerdict name = berth_nameserver_handle(stack->nameserver, stack->frame, size);
    if (name == BERTH_NAMESERVER_UNREACHABLE)
        reject(stack, BERTH_REJECT_PORT, size);
    if (name != BERTH_NAMESERVER_OTHER)
        return false;
    forward_reset(stack, size);
    slirp_input(stack->slirp, stack->frame, (int)size);
    return true;
}

static void handle_frames(BerthStack *stack)
{
    stack->nat.server = berth_nameserver_by_tcp(stack->nameserver);
    bool passed = false;
    gsize size;
    stack->handling_frames = true;
    for (guint frames = 0; frames < FRAMES_A_TURN && (size = receive_frame(stack)) > 0; frames++)
        passed = handle_frame(stack, size) || passed;
    stack->handling_frames = false;
    if (!passed)
        return;

    stack->last_frame_usec = g_get_monotonic_time();
    /* Sends packets that waited for an ARP reply; NULL: no descriptors are polled. */
    slirp_pollfds_poll(stack->slirp, 1, NULL, stack);
}

/* --- libslirp's callbacks --- */

static void on_guest_error(const char *message, void *opaque)
{
    g_debug("net: guest: %s", message);
}

static int64_t on_clock_get_ns(void *opaque)
{
    const BerthStack *stack = opaque;
    return (stack->frozen_usec != 0 ? stack->frozen_usec : g_get_monotonic_time()) * 1000;
}

/* libslirp's only timer sends router advertisements, which berth's guests do not need. Never
 * runs. */
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
    /* Wakes a loop in another thread; there is none. */
}

static void on_poll_socket(slirp_os_socket fd, void *opaque)
{
    /* For event loops that register descriptors in advance. */
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

/* --- construction and destruction --- */

static struct in6_addr address6(const guint8 *prefix, guint8 host_part)
{
    struct in6_addr address;
    memcpy(&address, prefix, sizeof(address));
    address.s6_addr[15] = host_part;
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
        .disable_dns = true,
        .disable_dhcp = true,
    };
    return slirp_new(&config, &callbacks, stack);
}

BerthStack *berth_stack_new(const BerthStackSetup *setup, GError **error)
{
    g_autoptr(BerthStack) stack = g_new0(BerthStack, 1);
    berth_outbox_init(&stack->outbox, setup->frames_fd);
    stack->filter.access = &stack->access;
    stack->on_refused = setup->on_refused;
    stack->user_data = setup->user_data;
    memcpy(stack->filter.prefix6, setup->prefix6, sizeof(stack->filter.prefix6));
    stack->polls = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
    stack->last_frame_usec = g_get_monotonic_time();

    stack->nameserver = berth_nameserver_new(setup->mtu, on_name_answer, stack);
    if (stack->nameserver != NULL && setup->mtu >= BERTH_MTU_MIN && setup->mtu <= BERTH_MTU_MAX)
        stack->slirp = open_slirp(stack, setup);
    if (stack->slirp == NULL) {
        berth_error_set(error, BERTH_ERROR_FAILED, "net.stack", NULL,
                        "cannot start libslirp %s with an MTU of %u", slirp_version_string(),
                        setup->mtu);
        return NULL;
    }
    memcpy(stack->nat.guest6, address6(setup->prefix6, BERTH_ADDRESS6_GUEST).s6_addr, 16);
    memcpy(berth_dns_names(berth_stack_dns(stack))->prefix, setup->prefix6, sizeof(setup->prefix6));
    stack->listeners = berth_hostfwd_new(stack->slirp, setup->owner_only ? setup->diag_fd : -1);
    return g_steal_pointer(&stack);
}

void berth_stack_free(BerthStack *stack)
{
    if (stack == NULL)
        return;
    berth_hostfwd_free(stack->listeners);
    if (stack->slirp != NULL)
        slirp_cleanup(stack->slirp);
    berth_nameserver_free(stack->nameserver);
    berth_outbox_clear(&stack->outbox);
    g_array_unref(stack->polls);
    g_free(stack);
}

BerthStackCounters berth_stack_counters(const BerthStack *stack)
{
    BerthStackCounters counters = stack->counters;
    counters.active = stack->activity.frames;
    counters.out = stack->outbox.counters;
    counters.dns = *berth_dns_counters(berth_nameserver_dns(stack->nameserver));
    return counters;
}

BerthDns *berth_stack_dns(BerthStack *stack)
{
    return berth_nameserver_dns(stack->nameserver);
}

int berth_stack_set_access(BerthStack *stack, const BerthAccess *access)
{
    if (!berth_access_is_sound(access))
        return EINVAL;
    stack->access = *access;
    return 0;
}

int berth_stack_add(BerthStack *stack, const BerthStackRule *rule)
{
    return berth_hostfwd_add(stack->listeners, rule);
}

int berth_stack_remove(BerthStack *stack, const BerthStackRule *rule)
{
    return berth_hostfwd_remove(stack->listeners, rule);
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

/* Do not poll listeners when descriptors run out: a connection that cannot be accepted would keep
 * the listener readable and the loop spinning. Clients wait in the backlog. */
static int on_add_poll(slirp_os_socket fd, int events, void *opaque)
{
    BerthStack *stack = opaque;
    if (berth_hostfwd_is_listener(stack->listeners, fd)) {
        if (stack->flows + berth_hostfwd_count(stack->listeners) + SPARE_FDS > stack->fd_limit)
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

gint64 berth_stack_watch(BerthStack *stack, void (*on_wake)(gpointer user_data), gpointer user_data)
{
    stack->on_wake = on_wake;
    stack->wake_user_data = user_data;
    return berth_activity_wait(&stack->activity, g_get_monotonic_time());
}

static int on_get_revents(int index, void *opaque)
{
    BerthStack *stack = opaque;
    if (stack->only_poll != 0 && index != stack->only_poll)
        return 0;
    short got = g_array_index(stack->polls, struct pollfd, index).revents;
    int events = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(event_bits); i++)
        if ((got & event_bits[i].poll) != 0)
            events |= event_bits[i].slirp;
    return events;
}

/* The longest sleep, usec, or -1. libslirp alone would wake up twice a second for each listener. */
static gint64 wait_usec(const BerthStack *stack, guint32 slirp_msec)
{
    bool quiet = g_get_monotonic_time() - stack->last_frame_usec > QUIET_USEC;
    return slirp_msec == G_MAXUINT32 || (stack->flows == 0 && quiet) ? -1
                                                                     : (gint64)slirp_msec * 1000;
}

/* Fill the poll set. Returns libslirp's longest sleep. */
static guint32 fill_polls(BerthStack *stack)
{
    guint32 slirp_msec = G_MAXUINT32;
    g_array_set_size(stack->polls, 0);
    stack->flows = 0;
    add_poll(stack, stack->outbox.fd,
             berth_outbox_is_waiting(&stack->outbox) ? POLLIN | POLLOUT : POLLIN);
    add_poll(stack, stack->caller_fd, POLLIN);
    add_poll(stack, berth_dns_fd(berth_stack_dns(stack)), POLLIN);
    POLLFDS_FILL(stack->slirp, &slirp_msec, on_add_poll, stack);
    return slirp_msec;
}

/* Returns as ppoll. */
static int wait_for_events(BerthStack *stack)
{
    guint32 slirp_msec = fill_polls(stack);
    gint64 wait = stack->outbox.acks.count > 0 ? 0 : wait_usec(stack, slirp_msec);
    struct timespec timeout = {.tv_sec = wait / G_USEC_PER_SEC,
                               .tv_nsec = wait % G_USEC_PER_SEC * 1000};
    return ppoll((struct pollfd *)(void *)stack->polls->data, stack->polls->len,
                 wait < 0 ? NULL : &timeout, NULL);
}

/* Have libslirp accept the waiting connections one at a time, and check each before libslirp reads
 * from it. libslirp's clock is stopped meanwhile, so that it runs no timers and closes nothing:
 * each accepted connection gets the predicted descriptor. */
static void accept_and_check(BerthStack *stack)
{
    stack->frozen_usec = g_get_monotonic_time();
    slirp_pollfds_poll(stack->slirp, 1, on_get_revents, stack); /* runs what is due first */
    for (guint i = POLL_OURS; i < stack->polls->len; i++) {
        struct pollfd *entry = &g_array_index(stack->polls, struct pollfd, i);
        if (entry->revents == 0 || !berth_hostfwd_is_listener(stack->listeners, entry->fd))
            continue;
        entry->revents = 0;
        int next = berth_hostfwd_next_fd();
        if (next < 0)
            continue; /* stays in the backlog until it can be checked */
        entry->revents = POLLIN;
        stack->only_poll = (int)i;
        slirp_pollfds_poll(stack->slirp, 0, on_get_revents, stack);
        entry->revents = 0;
        berth_hostfwd_admit(stack->listeners, entry->fd, next);
    }
    stack->only_poll = 0;
    stack->frozen_usec = 0;
}

int berth_stack_run(BerthStack *stack, int fd,
                    bool (*on_readable)(BerthStack *stack, int fd, gpointer user_data),
                    gpointer user_data)
{
    stack->fd_limit = berth_hostfwd_fd_limit();
    stack->caller_fd = fd;
    for (;;) {
        int ready = wait_for_events(stack);
        if (ready < 0 && errno != EINTR)
            return errno;

        if (ready > 0 && berth_hostfwd_must_check(stack->listeners))
            accept_and_check(stack);
        slirp_pollfds_poll(stack->slirp, ready < 0, on_get_revents, stack);
        berth_outbox_send_acks(&stack->outbox);
        if (ready <= 0)
            continue;

        const struct pollfd *ours = (const struct pollfd *)(const void *)stack->polls->data;
        short frames = ours[POLL_FRAMES].revents;
        short caller = ours[POLL_CALLER].revents;
        short names = ours[POLL_DNS].revents;
        /* Before the frames: a request sent earlier must apply to them. */
        if (caller != 0 && !on_readable(stack, fd, user_data))
            return 0;
        if ((frames & POLLOUT) != 0)
            berth_outbox_send_waiting(&stack->outbox);
        if ((frames & (POLLIN | POLLERR | POLLHUP)) != 0)
            handle_frames(stack);
        if (names != 0)
            berth_dns_run(berth_stack_dns(stack));
    }
}

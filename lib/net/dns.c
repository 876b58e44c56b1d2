/* SPDX-License-Identifier: MIT */
#include "dns.h"

#include "base/fd.h"
#include "dns_message.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MESSAGE_MAX   65535u
#define EVENTS_A_TURN 64u

typedef struct Query Query;

/* A query sent to one server. */
typedef struct {
    Query *query;
    int fd;     /* connected */
    int server; /* index into the list, or -1 when the list has changed since */
} Attempt;

struct Query {
    BerthDatagramEnds ends;
    guint8 *message; /* with our own id */
    gsize size;
    guint8 guest_id[2];
    BerthDnsMessage parsed; /* of message */
    GPtrArray *attempts;    /* Attempt*, owned; the last is the latest */
    guint asked;            /* servers tried so far */
    guint first;            /* index of the first server tried */
    gint64 next_usec;       /* when to try the next server */
    gint64 over_usec;
    GBytes *failure; /* a server's error response, or NULL */
};

struct BerthDns {
    BerthDnsAnswer answer;
    gpointer user_data;
    gint64 wait_usec;
    int epoll_fd;
    int timer_fd;
    GQueue queries; /* Query*, oldest first */
    guint sockets;  /* of all attempts */
    BerthResolvers servers;
    guint current; /* index of the server that answered last */
    BerthInternalNames names;
    BerthDnsCounters counters;
    guint8 buffer[MESSAGE_MAX];
};

/* --- queries and attempts --- */

static void close_attempt(BerthDns *dns, Attempt *attempt)
{
    g_ptr_array_remove(attempt->query->attempts, attempt); /* keeps the order */
    berth_fd_close(&attempt->fd);                          /* also removes it from the epoll set */
    dns->sockets--;
    g_free(attempt);
}

static void free_query(BerthDns *dns, Query *query)
{
    g_queue_remove(&dns->queries, query);
    while (query->attempts->len > 0)
        close_attempt(dns, g_ptr_array_index(query->attempts, query->attempts->len - 1));
    g_ptr_array_unref(query->attempts);
    g_clear_pointer(&query->failure, g_bytes_unref);
    g_free(query->message);
    g_free(query);
}

static bool send_message(const Query *query, int fd)
{
    return send(fd, query->message, query->size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
           errno == EAGAIN || errno == ENOBUFS; /* treat as packet loss */
}

static int open_socket(const BerthResolver *server)
{
    struct sockaddr_storage address;
    socklen_t size = berth_resolver_address(server, &address);
    berth_autofd int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, size) < 0)
        return -1;
    return berth_fd_steal(&fd);
}

static bool start_attempt(BerthDns *dns, Query *query, guint index)
{
    if (dns->sockets >= BERTH_DNS_PENDING_MAX && query->attempts->len > 0)
        close_attempt(dns, g_ptr_array_index(query->attempts, 0));
    berth_autofd int fd = open_socket(&dns->servers.list[index]);
    if (fd < 0 || !send_message(query, fd))
        return false;
    Attempt *attempt = g_new(Attempt, 1);
    *attempt = (Attempt){.query = query, .fd = fd, .server = (int)index};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = attempt};
    if (epoll_ctl(dns->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        g_free(attempt);
        return false;
    }
    berth_fd_steal(&fd);
    g_ptr_array_add(query->attempts, attempt);
    dns->sockets++;
    return true;
}

/* False when every server has been tried. */
static bool ask_next(BerthDns *dns, Query *query)
{
    while (query->asked < dns->servers.count) {
        guint index = (query->first + query->asked++) % dns->servers.count;
        if (start_attempt(dns, query, index)) {
            query->next_usec = g_get_monotonic_time() + dns->wait_usec;
            return true;
        }
    }
    query->next_usec = query->over_usec;
    return false;
}

/* --- answers --- */

static void refuse(BerthDns *dns, const BerthDatagramEnds *ends, const guint8 *message,
                   const BerthDnsMessage *parsed)
{
    guint8 bytes[BERTH_DNS_MADE_MAX];
    gsize size = berth_dns_message_refuse(message, parsed, BERTH_DNS_SERVFAIL, bytes);
    dns->answer(ends, bytes, size, dns->user_data);
}

static void give_up(BerthDns *dns, Query *query)
{
    dns->counters.failed++;
    memcpy(query->message, query->guest_id, sizeof(query->guest_id));
    if (query->failure != NULL) {
        gsize size;
        const guint8 *bytes = g_bytes_get_data(query->failure, &size);
        dns->answer(&query->ends, bytes, size, dns->user_data);
    } else {
        refuse(dns, &query->ends, query->message, &query->parsed);
    }
    free_query(dns, query);
}

/* @attempt will get no answer: free it, and the query if no attempt is left. */
static void fail_attempt(BerthDns *dns, Attempt *attempt)
{
    Query *query = attempt->query;
    bool latest = g_ptr_array_index(query->attempts, query->attempts->len - 1) == attempt;
    close_attempt(dns, attempt);
    if (latest)
        ask_next(dns, query);
    if (query->attempts->len == 0 && query->asked >= dns->servers.count)
        give_up(dns, query);
}

/* Whether @bytes answer @query. An error response need not repeat the question. */
static bool is_answer(const Query *query, const guint8 *bytes, const BerthDnsMessage *message)
{
    if (!message->response || message->id != query->parsed.id ||
        message->opcode != query->parsed.opcode)
        return false;
    if (query->parsed.question_size == 0 || (message->questions == 0 && message->code != 0))
        return true;
    return berth_dns_message_same_question(query->message, &query->parsed, bytes, message);
}

static bool is_failure(const BerthDnsMessage *message)
{
    return message->code == BERTH_DNS_SERVFAIL || message->code == BERTH_DNS_NOTIMP ||
           message->code == BERTH_DNS_REFUSED;
}

/* True when @attempt has been freed. */
static bool handle_answer(BerthDns *dns, Attempt *attempt, gsize size)
{
    Query *query = attempt->query;
    BerthDnsMessage message;
    if (!berth_dns_message_parse(dns->buffer, size, &message) ||
        !is_answer(query, dns->buffer, &message)) {
        dns->counters.ignored++;
        return false;
    }
    memcpy(dns->buffer, query->guest_id, sizeof(query->guest_id));
    if (is_failure(&message)) {
        g_clear_pointer(&query->failure, g_bytes_unref);
        query->failure = g_bytes_new(dns->buffer, size);
        fail_attempt(dns, attempt);
        return true;
    }
    dns->counters.answered++;
    if (attempt->server >= 0)
        dns->current = (guint)attempt->server;
    dns->answer(&query->ends, dns->buffer, size, dns->user_data);
    free_query(dns, query);
    return true;
}

static void on_readable(BerthDns *dns, Attempt *attempt)
{
    ssize_t size = recv(attempt->fd, dns->buffer, sizeof(dns->buffer), MSG_DONTWAIT);
    if (size >= 0)
        handle_answer(dns, attempt, (gsize)size);
    else if (errno != EAGAIN && errno != EINTR)
        fail_attempt(dns, attempt); /* ICMP error: nothing listens there */
}

/* --- timeouts --- */

static gint64 due_usec(const Query *query)
{
    return MIN(query->next_usec, query->over_usec);
}

static void set_timer(BerthDns *dns)
{
    gint64 due = 0;
    for (GList *each = dns->queries.head; each != NULL; each = each->next)
        due = due == 0 ? due_usec(each->data) : MIN(due, due_usec(each->data));
    const struct itimerspec when = {
        .it_value = {.tv_sec = due / G_USEC_PER_SEC, .tv_nsec = due % G_USEC_PER_SEC * 1000}};
    timerfd_settime(dns->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_time(BerthDns *dns)
{
    guint64 count;
    gint64 now = g_get_monotonic_time();
    if (read(dns->timer_fd, &count, sizeof(count)) < 0)
        return;
    for (GList *each = dns->queries.head, *next; each != NULL; each = next) {
        Query *query = each->data;
        next = each->next;
        if (query->over_usec <= now)
            give_up(dns, query);
        else if (query->next_usec <= now && !ask_next(dns, query) && query->attempts->len == 0)
            give_up(dns, query);
    }
}

void berth_dns_run(BerthDns *dns)
{
    struct epoll_event event; /* one at a time: handling it may free other attempts */
    for (guint i = 0; i < EVENTS_A_TURN && epoll_wait(dns->epoll_fd, &event, 1, 0) == 1; i++)
        if (event.data.ptr == dns)
            on_time(dns);
        else
            on_readable(dns, event.data.ptr);
    set_timer(dns);
}

/* --- queries from the guest --- */

/* The pending query that the guest retransmits: same id from the same port. */
static Query *find_repeated(BerthDns *dns, const BerthDatagramEnds *ends, const guint8 *message,
                            gsize size)
{
    for (GList *each = dns->queries.head; each != NULL; each = each->next) {
        Query *query = each->data;
        if (query->size == size && memcmp(&query->ends, ends, sizeof(*ends)) == 0 &&
            memcmp(query->guest_id, message, 2) == 0 &&
            memcmp(query->message + 2, message + 2, size - 2) == 0)
            return query;
    }
    return NULL;
}

static void make_room(BerthDns *dns)
{
    while (dns->sockets >= BERTH_DNS_PENDING_MAX || dns->queries.length >= BERTH_DNS_PENDING_MAX) {
        dns->counters.overtaken++;
        free_query(dns, g_queue_peek_head(&dns->queries));
    }
}

static void start_query(BerthDns *dns, const BerthDatagramEnds *ends, const guint8 *message,
                        gsize size)
{
    Query *query = g_new0(Query, 1);
    query->ends = *ends;
    query->message = g_memdup2(message, size);
    query->size = size;
    memcpy(query->guest_id, message, 2);
    ssize_t got = getrandom(query->message, 2, 0);
    g_assert(got == 2); /* getrandom never fails for so few bytes */
    berth_dns_message_parse(query->message, size, &query->parsed);
    query->attempts = g_ptr_array_new();
    query->first = dns->current;
    query->over_usec = g_get_monotonic_time() + dns->wait_usec * BERTH_DNS_WAITS;
    make_room(dns);
    g_queue_push_tail(&dns->queries, query);
    if (!ask_next(dns, query))
        give_up(dns, query);
    set_timer(dns);
}

void berth_dns_ask(BerthDns *dns, const BerthDatagramEnds *ends, const guint8 *message, gsize size)
{
    BerthDnsMessage parsed;
    guint8 bytes[BERTH_DNS_MADE_MAX];
    if (!berth_dns_message_parse(message, size, &parsed) || parsed.response) {
        dns->counters.malformed++;
        return;
    }
    dns->counters.queries++;
    gsize made = berth_internal_names_answer(&dns->names, message, size, bytes);
    if (made > 0) {
        dns->counters.local++;
        dns->answer(ends, bytes, made, dns->user_data);
        return;
    }
    if (dns->servers.count == 0) {
        dns->counters.no_server++;
        refuse(dns, ends, message, &parsed);
        return;
    }
    const Query *repeated = find_repeated(dns, ends, message, size);
    if (repeated == NULL)
        start_query(dns, ends, message, size);
    else if (repeated->attempts->len > 0)
        send_message(repeated, ((const Attempt *)g_ptr_array_index(repeated->attempts,
                                                                   repeated->attempts->len - 1))
                                   ->fd);
}

/* --- servers --- */

static void retry_query(BerthDns *dns, Query *query)
{
    for (guint i = 0; i < query->attempts->len; i++)
        ((Attempt *)g_ptr_array_index(query->attempts, i))->server = -1;
    query->asked = 0;
    query->first = 0;
    if (!ask_next(dns, query) && query->attempts->len == 0)
        give_up(dns, query);
}

void berth_dns_set_servers(BerthDns *dns, const BerthResolvers *servers)
{
    if (memcmp(&dns->servers, servers, sizeof(*servers)) == 0 ||
        servers->count > BERTH_RESOLVERS_MAX)
        return;
    dns->servers = *servers;
    dns->current = 0;
    for (GList *each = dns->queries.head, *next; each != NULL; each = next) {
        next = each->next;
        retry_query(dns, each->data);
    }
    set_timer(dns);
}

const BerthResolver *berth_dns_server_by_tcp(const BerthDns *dns)
{
    const BerthResolvers *servers = &dns->servers;
    for (guint i = 0; i < servers->count; i++) {
        const BerthResolver *each = &servers->list[(dns->current + i) % servers->count];
        if (each->scope == 0)
            return each;
    }
    return NULL;
}

/* --- construction and destruction --- */

BerthDns *berth_dns_new(guint wait_msec, BerthDnsAnswer answer, gpointer user_data)
{
    g_autoptr(BerthDns) dns = g_new0(BerthDns, 1);
    dns->answer = answer;
    dns->user_data = user_data;
    dns->wait_usec = (gint64)wait_msec * 1000;
    g_queue_init(&dns->queries);
    dns->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    dns->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = dns};
    if (dns->timer_fd < 0 || dns->epoll_fd < 0 ||
        epoll_ctl(dns->epoll_fd, EPOLL_CTL_ADD, dns->timer_fd, &event) < 0)
        return NULL;
    return g_steal_pointer(&dns);
}

void berth_dns_free(BerthDns *dns)
{
    if (dns == NULL)
        return;
    while (!g_queue_is_empty(&dns->queries))
        free_query(dns, g_queue_peek_head(&dns->queries));
    berth_fd_close(&dns->timer_fd);
    berth_fd_close(&dns->epoll_fd);
    g_free(dns);
}

int berth_dns_fd(const BerthDns *dns)
{
    return dns->epoll_fd;
}

int berth_dns_last_fd(const BerthDns *dns)
{
    return MAX(dns->epoll_fd, dns->timer_fd);
}

BerthInternalNames *berth_dns_names(BerthDns *dns)
{
    return &dns->names;
}

const BerthDnsCounters *berth_dns_counters(const BerthDns *dns)
{
    return &dns->counters;
}

guint berth_dns_pending(const BerthDns *dns)
{
    return dns->queries.length;
}

/* SPDX-License-Identifier: MIT */
#include "ports.h"

#include "holder.h"

#include <errno.h>
#include <string.h>

#define PROC          "/proc"
#define LOWEST_SYSCTL "net.ipv4.ip_unprivileged_port_start"
#define PENDING_MAX   1024u /* adds without an answer; a guest could change its mind without end */
#define LOWEST_PATH   PROC "/sys/net/ipv4/ip_unprivileged_port_start"

typedef struct {
    BerthForward *forward; /* owned */
    guint64 serial;        /* of the add that has no answer yet; 0: none */
    guint64 holder_inode;  /* whom the reason names; 0: nobody */
} Entry;

/* Counted: calls that have no answer yet refer to it, also when its owner has let go. */
struct BerthPorts {
    const BerthPortsOps *ops; /* NULL: let go */
    gpointer user_data;
    GHashTable *entries; /* key -> Entry*, owned */
    guint64 last_serial;
    guint pending;    /* adds that have no answer yet */
    GPtrArray *later; /* the newest plan, while too many are pending; or NULL */
    GSource *retry;   /* while a port is blocked */
};

typedef struct {
    BerthPorts *ports;
    gpointer key;
    guint64 serial;
} Call;

static gpointer key_of(const BerthForward *forward)
{
    return GUINT_TO_POINTER((guint)forward->protocol << 16 | forward->port);
}

static void entry_free(gpointer data)
{
    Entry *entry = data;
    berth_forward_free(entry->forward);
    g_free(entry);
}

static void stop_retrying(BerthPorts *ports)
{
    if (ports->retry == NULL)
        return;
    g_source_destroy(ports->retry);
    g_clear_pointer(&ports->retry, g_source_unref);
}

static void clear(gpointer data)
{
    BerthPorts *ports = data;
    g_hash_table_unref(ports->entries);
    g_clear_pointer(&ports->later, g_ptr_array_unref);
}

BerthPorts *berth_ports_new(const BerthPortsOps *ops, gpointer user_data)
{
    BerthPorts *ports = g_rc_box_new0(BerthPorts);
    ports->ops = ops;
    ports->user_data = user_data;
    ports->entries = g_hash_table_new_full(NULL, NULL, NULL, entry_free);
    return ports;
}

void berth_ports_free(BerthPorts *ports)
{
    if (ports == NULL)
        return;
    stop_retrying(ports);
    ports->ops = NULL;
    g_hash_table_remove_all(ports->entries);
    g_rc_box_release_full(ports, clear);
}

/* --- opening --- */

static void set_state(Entry *entry, BerthForwardState state, char *reason_take)
{
    entry->forward->state = state;
    g_free(entry->forward->reason);
    entry->forward->reason = reason_take;
}

static void block_as_busy(Entry *entry)
{
    guint16 port = entry->forward->port;
    BerthHolder holder = {0};
    bool found = berth_holder_find(PROC, port, &holder);
    if (entry->forward->state == BERTH_FORWARD_BLOCKED && found &&
        holder.inode == entry->holder_inode)
        return; /* still the same one */

    entry->holder_inode = holder.inode;
    g_autofree char *who =
        found ? berth_holder_describe(PROC, &holder) : g_strdup("another process");
    set_state(entry, BERTH_FORWARD_BLOCKED,
              g_strdup_printf("port %u is in use on this host by %s", port, who));
}

static void block_as_privileged(Entry *entry)
{
    g_autofree char *lowest = NULL;
    if (!g_file_get_contents(LOWEST_PATH, &lowest, NULL, NULL))
        lowest = g_strdup("1024");
    set_state(entry, BERTH_FORWARD_BLOCKED,
              g_strdup_printf("port %u needs permission on this host (" LOWEST_SYSCTL " is %s)",
                              entry->forward->port, g_strstrip(lowest)));
}

static void block(Entry *entry, int errnum)
{
    if (errnum == EADDRINUSE) {
        block_as_busy(entry);
        return;
    }
    entry->holder_inode = 0;
    if (errnum == EACCES)
        block_as_privileged(entry);
    else
        set_state(entry, BERTH_FORWARD_BLOCKED,
                  g_strdup_printf("port %u cannot be opened on this host: %s", entry->forward->port,
                                  g_strerror(errnum)));
}

static void retry_if_blocked(BerthPorts *ports);
static void apply(BerthPorts *ports, GPtrArray *plan_take);

static void on_added(int errnum, gpointer user_data)
{
    g_autofree Call *call = user_data;
    BerthPorts *ports = call->ports;
    ports->pending--;
    Entry *entry = g_hash_table_lookup(ports->entries, call->key);
    if (entry != NULL && entry->serial == call->serial) {
        entry->serial = 0;
        if (errnum == 0)
            set_state(entry, BERTH_FORWARD_OPEN, NULL);
        else if (errnum == ECONNRESET || errnum == ECANCELED)
            set_state(entry, BERTH_FORWARD_WANTED, NULL);
        else
            block(entry, errnum);
        retry_if_blocked(ports);
    }
    if (ports->pending == 0 && ports->later != NULL && ports->ops != NULL)
        apply(ports, g_steal_pointer(&ports->later));
    g_rc_box_release_full(ports, clear);
}

static void open_port(BerthPorts *ports, Entry *entry)
{
    Call *call = g_new(Call, 1);
    *call = (Call){.ports = g_rc_box_acquire(ports),
                   .key = key_of(entry->forward),
                   .serial = ++ports->last_serial};
    entry->serial = call->serial;
    ports->pending++;
    ports->ops->add(entry->forward, on_added, call, ports->user_data);
}

static gboolean on_retry(gpointer user_data)
{
    BerthPorts *ports = user_data;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Entry *entry = value;
        if (entry->forward->state == BERTH_FORWARD_BLOCKED && entry->serial == 0)
            open_port(ports, entry);
    }
    return G_SOURCE_CONTINUE;
}

static bool any_blocked(const BerthPorts *ports)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (((Entry *)value)->forward->state == BERTH_FORWARD_BLOCKED)
            return true;
    return false;
}

static void retry_if_blocked(BerthPorts *ports)
{
    bool blocked = any_blocked(ports);
    if (!blocked)
        stop_retrying(ports);
    if (!blocked || ports->retry != NULL)
        return;

    ports->retry = g_timeout_source_new(BERTH_PORTS_RETRY_MSEC);
    g_source_set_callback(ports->retry, on_retry, ports, NULL);
    g_source_attach(ports->retry, g_main_context_get_thread_default());
}

/* --- following the guest --- */

/* Also an add without an answer is taken back: the operations keep their order. */
static void close_port(BerthPorts *ports, const Entry *entry)
{
    if (entry->forward->state == BERTH_FORWARD_OPEN || entry->serial != 0)
        ports->ops->remove(entry->forward, ports->user_data);
}

static bool leads_elsewhere(const BerthForward *old, const BerthForward *new)
{
    return old->loopback != new->loopback ||
           (old->state == BERTH_FORWARD_IGNORED) != (new->state == BERTH_FORWARD_IGNORED);
}

static void follow(BerthPorts *ports, BerthForward *forward_take)
{
    gpointer key = key_of(forward_take);
    Entry *entry = g_hash_table_lookup(ports->entries, key);
    if (entry != NULL && !leads_elsewhere(entry->forward, forward_take)) {
        char *owner = entry->forward->owner;
        entry->forward->owner = g_steal_pointer(&forward_take->owner);
        forward_take->owner = owner;
        if (entry->forward->state == BERTH_FORWARD_IGNORED)
            set_state(entry, BERTH_FORWARD_IGNORED, g_steal_pointer(&forward_take->reason));
        berth_forward_free(forward_take);
        return;
    }

    if (entry != NULL)
        close_port(ports, entry);
    entry = g_new0(Entry, 1);
    entry->forward = forward_take;
    g_hash_table_replace(ports->entries, key, entry);
    if (forward_take->state == BERTH_FORWARD_WANTED)
        open_port(ports, entry);
}

static void close_all_but(BerthPorts *ports, const GPtrArray *plan)
{
    g_autoptr(GHashTable) kept = g_hash_table_new(NULL, NULL);
    for (guint i = 0; i < plan->len; i++)
        g_hash_table_add(kept, key_of(g_ptr_array_index(plan, i)));

    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        if (g_hash_table_contains(kept, key))
            continue;
        close_port(ports, value);
        g_hash_table_iter_remove(&iter);
    }
}

static void apply(BerthPorts *ports, GPtrArray *plan_take)
{
    g_autoptr(GPtrArray) plan = plan_take;
    close_all_but(ports, plan);
    g_ptr_array_set_free_func(plan, NULL);
    for (guint i = 0; i < plan->len; i++)
        follow(ports, g_ptr_array_index(plan, i));
    retry_if_blocked(ports);
}

void berth_ports_update(BerthPorts *ports, const GPtrArray *listeners)
{
    GPtrArray *plan = berth_forward_plan(listeners);
    g_clear_pointer(&ports->later, g_ptr_array_unref);
    if (ports->pending >= PENDING_MAX && plan->len > 0)
        ports->later = plan;
    else
        apply(ports, plan);
}

void berth_ports_reopen(BerthPorts *ports)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Entry *entry = value;
        if (entry->forward->state == BERTH_FORWARD_IGNORED)
            continue;
        set_state(entry, BERTH_FORWARD_WANTED, NULL);
        open_port(ports, entry);
    }
    retry_if_blocked(ports);
}

/* --- listing --- */

static BerthForward *copy_forward(const BerthForward *forward)
{
    BerthForward *copy = g_memdup2(forward, sizeof(*forward));
    copy->owner = g_strdup(forward->owner);
    copy->reason = g_strdup(forward->reason);
    return copy;
}

static gint compare_forwards(gconstpointer left, gconstpointer right)
{
    const BerthForward *a = *(BerthForward *const *)left;
    const BerthForward *b = *(BerthForward *const *)right;
    return a->port != b->port ? (gint)a->port - (gint)b->port
                              : (gint)a->protocol - (gint)b->protocol;
}

GPtrArray *berth_ports_list(const BerthPorts *ports)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_ptr_array_add(list, copy_forward(((Entry *)value)->forward));
    g_ptr_array_sort(list, compare_forwards);
    return list;
}

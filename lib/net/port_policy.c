/* SPDX-License-Identifier: MIT */
#include "port_policy.h"

#include "holder.h"
#include "port_entry.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PROC          "/proc"
#define LOWEST_SYSCTL "net.ipv4.ip_unprivileged_port_start"
#define LOWEST_PATH   PROC "/sys/net/ipv4/ip_unprivileged_port_start"
#define PENDING_MAX                                                                                \
    1024u /* adds in flight; bounds the requests of a guest whose ports keep changing */

/* Reference-counted: pending calls hold a reference beyond berth_port_policy_free. */
struct BerthPortPolicy {
    const BerthPortPolicyOps *ops; /* NULL after berth_port_policy_free */
    gpointer user_data;
    GHashTable *entries; /* key -> Entry*, both owned */
    guint64 last_serial;
    guint pending;    /* adds in flight */
    GPtrArray *later; /* the newest plan, deferred while too many adds are pending; or NULL */
    GSource *retry;   /* runs while a port is blocked */
};

typedef BerthPortEntry Entry;

typedef struct {
    BerthPortPolicy *ports;
    char *key;
    BerthLegKind kind;
    guint64 serial;
} Call;

static void stop_retrying(BerthPortPolicy *ports)
{
    if (ports->retry == NULL)
        return;
    g_source_destroy(ports->retry);
    g_clear_pointer(&ports->retry, g_source_unref);
}

static void clear(gpointer data)
{
    BerthPortPolicy *ports = data;
    g_hash_table_unref(ports->entries);
    g_clear_pointer(&ports->later, g_ptr_array_unref);
}

BerthPortPolicy *berth_port_policy_new(const BerthPortPolicyOps *ops, gpointer user_data)
{
    BerthPortPolicy *ports = g_rc_box_new0(BerthPortPolicy);
    ports->ops = ops;
    ports->user_data = user_data;
    ports->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, berth_port_entry_free);
    return ports;
}

void berth_port_policy_free(BerthPortPolicy *ports)
{
    if (ports == NULL)
        return;
    stop_retrying(ports);
    ports->ops = NULL;
    g_hash_table_remove_all(ports->entries);
    g_rc_box_release_full(ports, clear);
}

static void notify_changed(const BerthPortPolicy *ports)
{
    if (ports->ops != NULL && ports->ops->changed != NULL)
        ports->ops->changed(ports->user_data);
}

/* --- reasons of blocked legs --- */

static void replace(char **member, char *text_take)
{
    g_free(*member);
    *member = text_take;
}

static void block(Entry *entry, BerthLegKind kind, char *why_take)
{
    entry->forward->legs[kind].state = BERTH_FORWARD_BLOCKED;
    replace(&entry->slots[kind].why, why_take);
}

/* One of our own forwards that occupies the place of @leg, as text; or NULL. */
static char *find_own(const BerthPortPolicy *ports, const BerthLeg *leg)
{
    static const guint8 any[16];
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const BerthForward *forward = ((const Entry *)value)->forward;
        for (guint i = 0; i < BERTH_LEGS; i++) {
            const BerthLeg *other = &forward->legs[i];
            bool same = other != leg && other->state == BERTH_FORWARD_OPEN &&
                        other->protocol == leg->protocol && other->family == leg->family &&
                        other->host_port == leg->host_port;
            if (!same || (memcmp(other->host, leg->host, 16) != 0 &&
                          memcmp(other->host, any, 16) != 0 && memcmp(leg->host, any, 16) != 0))
                continue;
            g_autofree char *text = berth_rule_format(&forward->rule);
            return g_strdup_printf("its own forward %s", text);
        }
    }
    return NULL;
}

static char *describe_holder(const BerthPortPolicy *ports, const BerthLeg *leg, bool found,
                             const BerthHolder *holder)
{
    bool ours = !found || holder->uid == getuid();
    char *holder_text = ours ? find_own(ports, leg) : NULL;
    if (holder_text == NULL && ours && ports->ops->find_distro != NULL)
        holder_text = ports->ops->find_distro(leg, ports->user_data);
    if (holder_text == NULL)
        holder_text = found ? berth_holder_describe(PROC, holder) : g_strdup("another process");
    return holder_text;
}

static void block_as_busy(const BerthPortPolicy *ports, Entry *entry, BerthLegKind kind)
{
    const BerthLeg *leg = &entry->forward->legs[kind];
    BerthPortSlot *slot = &entry->slots[kind];
    BerthHolder holder = {0};
    bool found = berth_holder_find(PROC, leg, &holder);
    if (leg->state == BERTH_FORWARD_BLOCKED && found && holder.inode == slot->holder_inode)
        return; /* same holder as before */

    slot->holder_inode = holder.inode;
    g_autofree char *who = describe_holder(ports, leg, found, &holder);
    block(entry, kind,
          g_strdup_printf("port %u is in use on this host by %s", leg->host_port, who));
}

static char *why_privileged(guint16 port)
{
    g_autofree char *lowest = NULL;
    if (!g_file_get_contents(LOWEST_PATH, &lowest, NULL, NULL))
        lowest = g_strdup("1024");
    return g_strdup_printf("port %u needs permission on this host (" LOWEST_SYSCTL
                           " is %s; \"sudo sysctl " LOWEST_SYSCTL "=%u\" gives it)",
                           port, g_strstrip(lowest), port);
}

static void block_for(const BerthPortPolicy *ports, Entry *entry, BerthLegKind kind, int errnum)
{
    const BerthLeg *leg = &entry->forward->legs[kind];
    if (errnum == EADDRINUSE) {
        block_as_busy(ports, entry, kind);
        return;
    }
    g_autofree char *address = berth_rule_address_text(leg->family, leg->host);
    entry->slots[kind].holder_inode = 0;
    if (errnum == EACCES)
        block(entry, kind, why_privileged(leg->host_port));
    else if (errnum == EADDRNOTAVAIL)
        block(entry, kind, g_strdup_printf("%s is not an address of this host", address));
    else
        block(entry, kind,
              g_strdup_printf("port %u cannot be opened on this host: %s", leg->host_port,
                              g_strerror(errnum)));
}

/* --- opening and closing --- */

static void retry_if_blocked(BerthPortPolicy *ports);
static void apply(BerthPortPolicy *ports, GPtrArray *plan_take);
static void handle_answer(BerthPortPolicy *ports, Entry *entry, BerthLegKind kind, int errnum);

static void on_added(int errnum, gpointer user_data)
{
    Call *call = user_data;
    BerthPortPolicy *ports = call->ports;
    ports->pending--;
    Entry *entry = g_hash_table_lookup(ports->entries, call->key);
    if (entry != NULL && entry->slots[call->kind].serial == call->serial) {
        entry->slots[call->kind].serial = 0;
        handle_answer(ports, entry, call->kind, errnum);
        retry_if_blocked(ports);
        notify_changed(ports);
    }
    if (ports->pending == 0 && ports->later != NULL && ports->ops != NULL)
        apply(ports, g_steal_pointer(&ports->later));
    g_rc_box_release_full(ports, clear);
    g_free(call->key);
    g_free(call);
}

static void open_leg(BerthPortPolicy *ports, Entry *entry, BerthLegKind kind)
{
    Call *call = g_new(Call, 1);
    *call = (Call){.ports = g_rc_box_acquire(ports),
                   .key = berth_rule_format(&entry->forward->rule),
                   .kind = kind,
                   .serial = ++ports->last_serial};
    entry->slots[kind].serial = call->serial;
    ports->pending++;
    ports->ops->add(&entry->forward->legs[kind], on_added, call, ports->user_data);
}

/* Also removes a leg whose add is in flight: operations keep their order. */
static void close_leg(BerthPortPolicy *ports, Entry *entry, BerthLegKind kind)
{
    BerthLeg *leg = &entry->forward->legs[kind];
    BerthPortSlot *slot = &entry->slots[kind];
    if (leg->state == BERTH_FORWARD_OPEN || slot->serial != 0)
        ports->ops->remove(leg, ports->user_data);
    slot->serial = 0;
    slot->holder_inode = 0;
    g_clear_pointer(&slot->why, g_free);
    leg->state = leg->family != 0 ? BERTH_FORWARD_WANTED : BERTH_FORWARD_IGNORED;
}

/* Reopen all legs of a forward on host port @port. */
static void move(BerthPortPolicy *ports, Entry *entry, guint16 port)
{
    for (guint i = 0; i < BERTH_LEGS; i++)
        close_leg(ports, entry, i);
    berth_forward_set_host_port(entry->forward, port);
    for (guint i = 0; i < BERTH_LEGS; i++)
        if (entry->forward->legs[i].family != 0)
            open_leg(ports, entry, i);
}

/* --- privileged ports --- */

static const struct {
    guint16 port, instead;
} offers[] = {{80, 8080}, {443, 8443}};

static bool is_planned_by_another(const BerthPortPolicy *ports, const Entry *entry, guint16 port)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const BerthForward *other = ((const Entry *)value)->forward;
        if (value != entry && other->state != BERTH_FORWARD_IGNORED && other->host_port == port &&
            other->rule.protocol == entry->forward->rule.protocol)
            return true;
    }
    return false;
}

/* Move to the alternative port. False if there is none. */
static bool offer(BerthPortPolicy *ports, Entry *entry)
{
    const BerthRule *rule = &entry->forward->rule;
    for (gsize i = 0; i < G_N_ELEMENTS(offers); i++) {
        if (rule->family != 0 || rule->protocol != BERTH_TCP || entry->privileged != NULL ||
            rule->host_port != offers[i].port || rule->guest_port != rule->host_port ||
            is_planned_by_another(ports, entry, offers[i].instead))
            continue;
        entry->privileged = why_privileged(rule->host_port);
        move(ports, entry, offers[i].instead);
        return true;
    }
    return false;
}

/* Move back to the privileged port, as BLOCKED. */
static void withdraw(BerthPortPolicy *ports, Entry *entry)
{
    BerthForward *forward = entry->forward;
    for (guint i = 0; i < BERTH_LEGS; i++)
        close_leg(ports, entry, i);
    berth_forward_set_host_port(forward, forward->rule.host_port);
    for (guint i = 0; i < BERTH_LEGS; i++)
        if (forward->legs[i].family != 0)
            block(entry, i, g_strdup(entry->privileged));
    g_clear_pointer(&entry->privileged, g_free);
    berth_port_entry_summarise(entry);
}

/* Withdraw alternatives whose port @plan wants for another forward. */
static void withdraw_offers(BerthPortPolicy *ports, const GPtrArray *plan)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Entry *entry = value;
        for (guint i = 0; i < plan->len && entry->privileged != NULL; i++) {
            const BerthForward *wanted = g_ptr_array_index(plan, i);
            if (wanted->state != BERTH_FORWARD_IGNORED && wanted->rule.protocol == BERTH_TCP &&
                wanted->rule.host_port == entry->forward->host_port)
                withdraw(ports, entry);
        }
    }
}

/* A host without IPv6 is not an error. */
static bool is_absent(const Entry *entry, BerthLegKind kind, int errnum)
{
    return entry->forward->rule.family == 0 && kind != BERTH_LEG_V4 &&
           (errnum == EAFNOSUPPORT || errnum == EADDRNOTAVAIL);
}

static void handle_answer(BerthPortPolicy *ports, Entry *entry, BerthLegKind kind, int errnum)
{
    BerthLeg *leg = &entry->forward->legs[kind];
    if (errnum == EACCES && offer(ports, entry)) {
        berth_port_entry_summarise(entry);
        return;
    }
    bool later = errnum == ECONNRESET || errnum == ECANCELED;
    bool good = errnum == 0 || later || is_absent(entry, kind, errnum);
    if (good)
        g_clear_pointer(&entry->slots[kind].why, g_free);
    if (errnum == 0)
        leg->state = BERTH_FORWARD_OPEN;
    else if (later)
        leg->state = BERTH_FORWARD_WANTED;
    else if (good)
        leg->state = BERTH_FORWARD_IGNORED;
    else
        block_for(ports, entry, kind, errnum);
    berth_port_entry_summarise(entry);
}

/* --- retries --- */

/* Whether any leg is BLOCKED; with @open, also retry those not in flight. */
static bool find_blocked(BerthPortPolicy *ports, bool open)
{
    GHashTableIter iter;
    gpointer value;
    bool found = false;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Entry *entry = value;
        for (guint i = 0; i < BERTH_LEGS; i++) {
            if (entry->forward->legs[i].state != BERTH_FORWARD_BLOCKED)
                continue;
            found = true;
            if (open && entry->slots[i].serial == 0)
                open_leg(ports, entry, i);
        }
    }
    return found;
}

bool berth_port_policy_retry(BerthPortPolicy *ports)
{
    return find_blocked(ports, true);
}

static gboolean on_retry(gpointer user_data)
{
    berth_port_policy_retry(user_data);
    return G_SOURCE_CONTINUE;
}

static void retry_if_blocked(BerthPortPolicy *ports)
{
    bool blocked = find_blocked(ports, false);
    if (!blocked)
        stop_retrying(ports);
    if (!blocked || ports->retry != NULL)
        return;

    ports->retry = g_timeout_source_new(BERTH_PORTS_RETRY_MSEC);
    g_source_set_callback(ports->retry, on_retry, ports, NULL);
    g_source_attach(ports->retry, g_main_context_get_thread_default());
}

/* --- applying a plan --- */

static bool is_same_leg(const BerthLeg *a, const BerthLeg *b)
{
    return a->family == b->family && a->host_port == b->host_port &&
           a->guest_port == b->guest_port && memcmp(a->host, b->host, 16) == 0 &&
           memcmp(a->guest, b->guest, 16) == 0;
}

static void follow_leg(BerthPortPolicy *ports, Entry *entry, BerthLegKind kind,
                       const BerthLeg *wanted)
{
    BerthLeg *leg = &entry->forward->legs[kind];
    BerthLeg now = *wanted;
    now.host_port = entry->forward->host_port;
    if (is_same_leg(leg, &now) || (leg->family == 0 && now.family == 0))
        return;
    close_leg(ports, entry, kind);
    *leg = now;
    if (leg->family != 0)
        open_leg(ports, entry, kind);
}

static Entry *entry_for(BerthPortPolicy *ports, const BerthForward *wanted)
{
    g_autofree char *key = berth_rule_format(&wanted->rule);
    Entry *entry = g_hash_table_lookup(ports->entries, key);
    if (entry != NULL)
        return entry;

    entry = g_new0(Entry, 1);
    entry->forward = g_new0(BerthForward, 1);
    entry->forward->rule = wanted->rule;
    entry->forward->host_port = wanted->rule.host_port;
    for (guint i = 0; i < BERTH_LEGS; i++)
        entry->forward->legs[i].state = BERTH_FORWARD_IGNORED;
    g_hash_table_insert(ports->entries, g_steal_pointer(&key), entry);
    return entry;
}

static void follow(BerthPortPolicy *ports, BerthForward *wanted)
{
    Entry *entry = entry_for(ports, wanted);
    BerthForward *forward = entry->forward;
    forward->origin = wanted->origin;
    replace(&forward->owner, g_steal_pointer(&wanted->owner));
    for (guint i = 0; i < BERTH_LEGS; i++)
        follow_leg(ports, entry, i, &wanted->legs[i]);

    if (wanted->state == BERTH_FORWARD_IGNORED) {
        forward->state = BERTH_FORWARD_IGNORED;
        berth_forward_set_host_port(forward, forward->rule.host_port);
        g_clear_pointer(&entry->privileged, g_free);
        replace(&forward->reason, g_steal_pointer(&wanted->reason));
        return;
    }
    if (forward->state == BERTH_FORWARD_IGNORED)
        forward->state = BERTH_FORWARD_WANTED;
    replace(&entry->note, g_steal_pointer(&wanted->reason));
    berth_port_entry_summarise(entry);
}

static void close_all_but(BerthPortPolicy *ports, const GPtrArray *plan)
{
    g_autoptr(GHashTable) kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < plan->len; i++) {
        const BerthForward *forward = g_ptr_array_index(plan, i);
        g_hash_table_add(kept, berth_rule_format(&forward->rule));
    }

    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        if (g_hash_table_contains(kept, key))
            continue;
        for (guint i = 0; i < BERTH_LEGS; i++)
            close_leg(ports, value, i);
        g_hash_table_iter_remove(&iter);
    }
}

static void apply(BerthPortPolicy *ports, GPtrArray *plan_take)
{
    g_autoptr(GPtrArray) plan = plan_take;
    close_all_but(ports, plan);
    withdraw_offers(ports, plan);
    for (guint i = 0; i < plan->len; i++)
        follow(ports, g_ptr_array_index(plan, i));
    retry_if_blocked(ports);
    notify_changed(ports);
}

void berth_port_policy_update(BerthPortPolicy *ports, GPtrArray *plan)
{
    g_clear_pointer(&ports->later, g_ptr_array_unref);
    if (ports->pending >= PENDING_MAX && plan->len > 0)
        ports->later = plan;
    else
        apply(ports, plan);
}

void berth_port_policy_reopen(BerthPortPolicy *ports)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Entry *entry = value;
        BerthForward *forward = entry->forward;
        if (forward->state == BERTH_FORWARD_IGNORED)
            continue;
        g_clear_pointer(&entry->privileged, g_free);
        berth_forward_set_host_port(forward, forward->rule.host_port);
        for (guint i = 0; i < BERTH_LEGS; i++) {
            forward->legs[i].state = BERTH_FORWARD_IGNORED; /* nothing to remove */
            entry->slots[i].serial = 0;
            close_leg(ports, entry, i);
            if (forward->legs[i].family != 0)
                open_leg(ports, entry, i);
        }
        berth_port_entry_summarise(entry);
    }
    retry_if_blocked(ports);
    notify_changed(ports);
}

/* --- listing --- */

GPtrArray *berth_port_policy_list(const BerthPortPolicy *ports)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, ports->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_ptr_array_add(list, berth_forward_copy(((const Entry *)value)->forward));
    g_ptr_array_sort(list, berth_forward_compare);
    return list;
}

/* SPDX-License-Identifier: MIT */
#include "nodes.h"

#include <string.h>

#define BUCKETS_MIN 256u  /* a power of two */
#define FORMER_MAX  1024u /* the same */

/* One array of nodes, with indices as hash chains: 50 000 nodes take little more memory than their
 * names. Slot 0 is unused. */
struct BerthNodes {
    BerthNode *slots;
    guint64 offset; /* from a slot's index to its node's id; the root's id is its index */
    guint64 size;   /* slots that were ever used, slot 0 included */
    guint64 capacity;
    guint64 unused; /* first of a chain by next_by_key */
    guint64 in_use;
    guint64 *by_key;
    guint64 *by_name;
    guint64 buckets;
    BerthLedger *ledger; /* or NULL */
    BerthNodeFunc on_forgotten;
    gpointer user_data;
    /* Forgotten files that had names, each at its hash; a later one takes its place. */
    BerthNodeKey former[FORMER_MAX];
};

/* The slot of @id, which is valid. */
static BerthNode *slot(const BerthNodes *nodes, guint64 id)
{
    return &nodes->slots[id == BERTH_NODE_ROOT ? id : id - nodes->offset];
}

/* The id of slot @at; of an unused one, too. */
static guint64 id_of(const BerthNodes *nodes, guint64 at)
{
    return at == BERTH_NODE_ROOT ? at : at + nodes->offset;
}

/* The slot of @id in the ledger; 0: of no node. */
static guint64 at_of(const BerthNodes *nodes, guint64 id)
{
    return id <= BERTH_NODE_ROOT ? id : id - nodes->offset;
}

static BerthNode *get(const BerthNodes *nodes, guint64 id)
{
    guint64 at = id - nodes->offset;
    bool known = id == BERTH_NODE_ROOT || (at > BERTH_NODE_ROOT && at < nodes->size);
    return known && slot(nodes, id)->name != NULL ? slot(nodes, id) : NULL;
}

/* Source: the finaliser of splitmix64. */
static guint64 mix(guint64 value)
{
    value = (value ^ (value >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static guint64 key_hash(const BerthNodeKey *key)
{
    return mix(key->inode ^ mix(key->device ^ mix(key->birth_nsec)));
}

static guint64 key_bucket(const BerthNodes *nodes, const BerthNodeKey *key)
{
    return key_hash(key) & (nodes->buckets - 1);
}

/* Where a forgotten file @key is kept, if it had names. */
static BerthNodeKey *former_of(BerthNodes *nodes, const BerthNodeKey *key)
{
    return &nodes->former[key_hash(key) & (FORMER_MAX - 1)];
}

static guint64 name_bucket(const BerthNodes *nodes, guint64 parent, const char *name)
{
    return mix(g_str_hash(name) ^ (parent << 32)) & (nodes->buckets - 1);
}

/* A fixed node has no key: it stays when another file takes its place. */
static void link_key(BerthNodes *nodes, guint64 id)
{
    BerthNode *node = slot(nodes, id);
    if (node->fixed)
        return;
    guint64 *bucket = &nodes->by_key[key_bucket(nodes, &node->key)];
    node->next_by_key = *bucket;
    *bucket = id;
}

static void unlink_key(BerthNodes *nodes, guint64 id)
{
    const BerthNode *node = slot(nodes, id);
    guint64 *at = &nodes->by_key[key_bucket(nodes, &node->key)];
    while (*at != id)
        at = &slot(nodes, *at)->next_by_key;
    *at = node->next_by_key;
}

static void link_name(BerthNodes *nodes, guint64 id)
{
    BerthNode *node = slot(nodes, id);
    if (node->parent == BERTH_NODE_NONE)
        return;
    guint64 *bucket = &nodes->by_name[name_bucket(nodes, node->parent, node->name)];
    node->next_by_name = *bucket;
    *bucket = id;
}

static void unlink_name(BerthNodes *nodes, guint64 id)
{
    const BerthNode *node = slot(nodes, id);
    if (node->parent == BERTH_NODE_NONE)
        return;
    guint64 *at = &nodes->by_name[name_bucket(nodes, node->parent, node->name)];
    while (*at != id)
        at = &slot(nodes, *at)->next_by_name;
    *at = node->next_by_name;
}

static void hash_again(BerthNodes *nodes, guint64 buckets)
{
    g_free(nodes->by_key);
    g_free(nodes->by_name);
    nodes->buckets = buckets;
    nodes->by_key = g_new0(guint64, buckets);
    nodes->by_name = g_new0(guint64, buckets);
    for (guint64 at = 1; at < nodes->size; at++) {
        guint64 id = id_of(nodes, at);
        if (slot(nodes, id)->name == NULL)
            continue;
        link_key(nodes, id);
        link_name(nodes, id);
    }
}

/* A slot without a place. */
static guint64 new_slot(BerthNodes *nodes)
{
    guint64 id = nodes->unused;
    if (id != 0) {
        nodes->unused = slot(nodes, id)->next_by_key;
    } else {
        if (nodes->size == nodes->capacity) {
            nodes->capacity *= 2;
            nodes->slots = g_renew(BerthNode, nodes->slots, nodes->capacity);
        }
        id = id_of(nodes, nodes->size++);
    }
    *slot(nodes, id) = (BerthNode){.share = -1, .watch = -1};
    if (++nodes->in_use > nodes->buckets)
        hash_again(nodes, nodes->buckets * 2);
    return id;
}

static void set_lookups(BerthNodes *nodes, guint64 id, guint64 lookups)
{
    slot(nodes, id)->lookups = lookups;
    if (id != BERTH_NODE_ROOT)
        berth_ledger_set_lookups(nodes->ledger, at_of(nodes, id), lookups);
}

/* Free @id, then its ancestors, as far as nothing refers to them. */
static void release(BerthNodes *nodes, guint64 id)
{
    while (id != BERTH_NODE_NONE) {
        BerthNode *node = slot(nodes, id);
        if (node->fixed || node->lookups > 0 || node->children > 0)
            return;
        guint64 parent = node->parent;
        nodes->on_forgotten(node, nodes->user_data);
        if (node->had_names)
            *former_of(nodes, &node->key) = node->key;
        unlink_key(nodes, id);
        unlink_name(nodes, id);
        g_clear_pointer(&node->name, g_free);
        berth_ledger_remove(nodes->ledger, at_of(nodes, id));
        node->next_by_key = nodes->unused;
        nodes->unused = id;
        nodes->in_use--;
        if (parent != BERTH_NODE_NONE)
            slot(nodes, parent)->children--;
        id = parent;
    }
}

/* ---- a former server's nodes ---- */

/* Fill slot @at, which is the next one. */
static void restore_slot(BerthNodes *nodes, guint64 at)
{
    BerthLedgerNode found;
    if (!berth_ledger_node(nodes->ledger, at, &found)) {
        nodes->slots[at] = (BerthNode){.next_by_key = nodes->unused};
        nodes->unused = id_of(nodes, at);
        return;
    }
    nodes->slots[at] = (BerthNode){
        .key = found.key,
        .lookups = found.lookups,
        .name = g_strdup(found.name),
        .parent = found.parent > 1 ? id_of(nodes, found.parent) : found.parent,
        .former = found.former > 1 ? id_of(nodes, found.former) : found.former,
        .share = -1,
        .fixed = (found.flags & BERTH_LEDGER_FIXED) != 0,
        .is_gone = (found.flags & BERTH_LEDGER_GONE) != 0,
        .had_names = (found.flags & BERTH_LEDGER_NAMES) != 0,
        .watched = (found.flags & BERTH_LEDGER_WATCHED) != 0,
        .restored = true,
        .type = found.type,
        .watch = -1,
    };
    nodes->in_use++;
}

static void restore(BerthNodes *nodes)
{
    guint64 end = MAX(berth_ledger_end(nodes->ledger), nodes->size);
    while (nodes->capacity < end)
        nodes->capacity *= 2;
    nodes->slots = g_renew(BerthNode, nodes->slots, nodes->capacity);
    for (; nodes->size < end; nodes->size++)
        restore_slot(nodes, nodes->size);
    hash_again(nodes, MAX(BUCKETS_MIN, nodes->capacity));
    for (guint64 at = 2; at < end; at++)
        if (nodes->slots[at].name != NULL && nodes->slots[at].parent != BERTH_NODE_NONE)
            slot(nodes, nodes->slots[at].parent)->children++;
    for (guint64 at = 2; at < end; at++)
        if (nodes->slots[at].name != NULL)
            release(nodes, id_of(nodes, at));
}

BerthNodes *berth_nodes_new(guint64 offset, BerthLedger *ledger, BerthNodeFunc on_forgotten,
                            gpointer user_data)
{
    BerthNodes *nodes = g_new0(BerthNodes, 1);
    nodes->offset = offset;
    nodes->on_forgotten = on_forgotten;
    nodes->user_data = user_data;
    nodes->capacity = BUCKETS_MIN;
    nodes->slots = g_new0(BerthNode, nodes->capacity);
    nodes->size = 1;
    hash_again(nodes, BUCKETS_MIN);
    guint64 root = new_slot(nodes);
    g_assert(root == BERTH_NODE_ROOT);
    slot(nodes, root)->fixed = slot(nodes, root)->shared = true;
    slot(nodes, root)->name = g_strdup("");
    nodes->ledger = ledger;
    if (ledger != NULL)
        restore(nodes);
    return nodes;
}

void berth_nodes_free(BerthNodes *nodes)
{
    if (nodes == NULL)
        return;
    for (guint64 at = 1; at < nodes->size; at++)
        g_free(nodes->slots[at].name);
    g_free(nodes->slots);
    g_free(nodes->by_key);
    g_free(nodes->by_name);
    g_free(nodes);
}

const BerthNode *berth_nodes_get(const BerthNodes *nodes, guint64 id)
{
    return get(nodes, id);
}

guint64 berth_nodes_find(const BerthNodes *nodes, guint64 parent, const char *name)
{
    guint64 id = nodes->by_name[name_bucket(nodes, parent, name)];
    while (id != 0 &&
           (slot(nodes, id)->parent != parent || strcmp(slot(nodes, id)->name, name) != 0))
        id = slot(nodes, id)->next_by_name;
    return id;
}

guint64 berth_nodes_find_key(const BerthNodes *nodes, const BerthNodeKey *key)
{
    guint64 id = nodes->by_key[key_bucket(nodes, key)];
    while (id != 0 && !berth_node_key_equal(&slot(nodes, id)->key, key))
        id = slot(nodes, id)->next_by_key;
    return id;
}

static void hold(BerthNodes *nodes, guint64 id)
{
    set_lookups(nodes, id, slot(nodes, id)->lookups + 1);
}

static void unhold(BerthNodes *nodes, guint64 id)
{
    set_lookups(nodes, id, slot(nodes, id)->lookups - 1);
    release(nodes, id);
}

/* Give @id a place; with BERTH_NODE_NONE it has none. */
static void move(BerthNodes *nodes, guint64 id, guint64 parent, const char *name)
{
    BerthNode *node = slot(nodes, id);
    guint64 former = node->parent;
    char *copy = g_strdup(name); /* it may be the node's own */
    unlink_name(nodes, id);
    g_free(node->name);
    node->name = copy;
    node->parent = parent;
    link_name(nodes, id);
    berth_ledger_place(nodes->ledger, at_of(nodes, id), at_of(nodes, parent), node->name);
    if (parent != BERTH_NODE_NONE)
        slot(nodes, parent)->children++;
    if (former == BERTH_NODE_NONE)
        return;
    slot(nodes, former)->children--;
    release(nodes, former);
}

static bool is_below(const BerthNodes *nodes, guint64 id, guint64 ancestor)
{
    while (id != BERTH_NODE_NONE && id != ancestor)
        id = slot(nodes, id)->parent;
    return id == ancestor;
}

static guint64 new_fixed(BerthNodes *nodes, guint64 parent, const char *name,
                         const BerthNodeKey *key)
{
    guint64 id = new_slot(nodes);
    slot(nodes, id)->fixed = slot(nodes, id)->shared = true;
    slot(nodes, id)->key = *key;
    slot(nodes, id)->name = g_strdup("");
    berth_ledger_add(nodes->ledger, at_of(nodes, id), key, BERTH_LEDGER_FIXED);
    move(nodes, id, parent, name);
    return id;
}

static void displace(BerthNodes *nodes, guint64 id)
{
    if (id == BERTH_NODE_NONE || slot(nodes, id)->fixed)
        return;
    slot(nodes, id)->former = slot(nodes, id)->parent;
    berth_ledger_set_former(nodes->ledger, at_of(nodes, id), at_of(nodes, slot(nodes, id)->former));
    move(nodes, id, BERTH_NODE_NONE, slot(nodes, id)->name);
}

/* A former server's fixed node is an ordinary one without a place from now on. */
static void retire(BerthNodes *nodes, guint64 id)
{
    BerthNode *node = slot(nodes, id);
    if (node->fixed) {
        node->fixed = false;
        berth_ledger_set_flag(nodes->ledger, at_of(nodes, id), BERTH_LEDGER_FIXED, false);
        link_key(nodes, id);
    }
    displace(nodes, id);
    release(nodes, id);
}

/* The fixed node @name in @parent for the directory @key, which is empty if it only leads to
 * shares. */
static guint64 make_fixed(BerthNodes *nodes, guint64 parent, const char *name,
                          const BerthNodeKey *key)
{
    guint64 id = berth_nodes_find(nodes, parent, name);
    if (id != BERTH_NODE_NONE && slot(nodes, id)->shared)
        return id;
    if (id != BERTH_NODE_NONE && slot(nodes, id)->fixed &&
        berth_node_key_equal(&slot(nodes, id)->key, key)) {
        slot(nodes, id)->shared = true;
        return id;
    }
    if (id != BERTH_NODE_NONE)
        retire(nodes, id);
    return new_fixed(nodes, parent, name, key);
}

static bool has_shared_below(const BerthNodes *nodes, guint64 id)
{
    for (guint64 at = 2; at < nodes->size; at++)
        if (nodes->slots[at].name != NULL && nodes->slots[at].parent == id &&
            nodes->slots[at].shared)
            return true;
    return false;
}

guint64 berth_nodes_add_share(BerthNodes *nodes, const char *path, guint share,
                              const BerthNodeKey *key)
{
    static const BerthNodeKey none;
    guint64 id = BERTH_NODE_ROOT;
    for (path += strspn(path, "/"); *path != '\0';) {
        gsize length = strcspn(path, "/");
        g_autofree char *name = g_strndup(path, length);
        path += length + strspn(path + length, "/");
        if (slot(nodes, id)->share >= 0)
            return BERTH_NODE_NONE;
        id = make_fixed(nodes, id, name, *path == '\0' ? key : &none);
    }
    if (slot(nodes, id)->share >= 0 || has_shared_below(nodes, id))
        return BERTH_NODE_NONE;
    slot(nodes, id)->share = (gint16)share;
    return id;
}

void berth_nodes_settle(BerthNodes *nodes)
{
    for (guint64 at = 2; at < nodes->size; at++)
        if (nodes->slots[at].name != NULL && nodes->slots[at].fixed && !nodes->slots[at].shared)
            retire(nodes, id_of(nodes, at));
}

guint64 berth_nodes_look_up(BerthNodes *nodes, guint64 parent, const char *name,
                            const BerthNodeKey *key)
{
    guint64 id = berth_nodes_find_key(nodes, key);
    guint64 former = berth_nodes_find(nodes, parent, name);
    if (former != BERTH_NODE_NONE && (former == id || slot(nodes, former)->fixed)) {
        hold(nodes, former);
        return former;
    }
    hold(nodes, parent); /* while its last child may be released */
    displace(nodes, former);
    if (id != BERTH_NODE_NONE) {
        slot(nodes, id)->had_names = true;
        berth_ledger_set_flag(nodes->ledger, at_of(nodes, id), BERTH_LEDGER_NAMES, true);
    } else {
        id = new_slot(nodes);
        slot(nodes, id)->key = *key;
        slot(nodes, id)->name = g_strdup("");
        slot(nodes, id)->had_names = berth_node_key_equal(former_of(nodes, key), key);
        link_key(nodes, id);
        berth_ledger_add(nodes->ledger, at_of(nodes, id), key,
                         slot(nodes, id)->had_names ? BERTH_LEDGER_NAMES : 0);
    }
    hold(nodes, id);
    if (!is_below(nodes, parent, id)) /* the host may just have moved it below itself */
        move(nodes, id, parent, name);
    unhold(nodes, parent);
    return id;
}

void berth_nodes_hold(BerthNodes *nodes, guint64 id)
{
    if (get(nodes, id) != NULL)
        hold(nodes, id);
}

void berth_nodes_set_key(BerthNodes *nodes, guint64 id, const BerthNodeKey *key)
{
    BerthNode *node = get(nodes, id);
    if (node == NULL || node->fixed)
        return;
    unlink_key(nodes, id);
    node->key = *key;
    link_key(nodes, id);
    berth_ledger_set_key(nodes->ledger, at_of(nodes, id), key);
}

void berth_nodes_set_type(BerthNodes *nodes, guint64 id, mode_t mode)
{
    BerthNode *node = get(nodes, id);
    guint8 type = (guint8)((mode & S_IFMT) >> 12);
    if (node == NULL || node->type == type)
        return;
    node->type = type;
    berth_ledger_set_type(nodes->ledger, at_of(nodes, id), type);
}

void berth_nodes_set_gone(BerthNodes *nodes, guint64 id)
{
    BerthNode *node = get(nodes, id);
    if (node == NULL)
        return;
    node->watch = -1;
    node->is_gone = true;
    berth_ledger_set_flag(nodes->ledger, at_of(nodes, id), BERTH_LEDGER_GONE, true);
}

void berth_nodes_forget(BerthNodes *nodes, guint64 id, guint64 count)
{
    BerthNode *node = get(nodes, id);
    if (node == NULL)
        return;
    set_lookups(nodes, id, node->lookups - MIN(count, node->lookups));
    release(nodes, id);
}

void berth_nodes_remove(BerthNodes *nodes, guint64 parent, const char *name)
{
    displace(nodes, berth_nodes_find(nodes, parent, name));
}

void berth_nodes_rename(BerthNodes *nodes, guint64 parent, const char *name, guint64 new_parent,
                        const char *new_name, bool swap)
{
    guint64 id = berth_nodes_find(nodes, parent, name);
    guint64 other = berth_nodes_find(nodes, new_parent, new_name);
    if (get(nodes, parent) == NULL || get(nodes, new_parent) == NULL || id == other)
        return;
    if ((id != BERTH_NODE_NONE && (slot(nodes, id)->fixed || is_below(nodes, new_parent, id))) ||
        (other != BERTH_NODE_NONE && slot(nodes, other)->fixed))
        return;
    hold(nodes, parent);
    hold(nodes, new_parent);
    displace(nodes, other);
    if (id != BERTH_NODE_NONE)
        move(nodes, id, new_parent, new_name);
    if (swap && get(nodes, other) != NULL && !is_below(nodes, parent, other))
        move(nodes, other, parent, name);
    unhold(nodes, parent);
    unhold(nodes, new_parent);
}

void berth_nodes_set_watch(BerthNodes *nodes, guint64 id, int watch)
{
    BerthNode *node = get(nodes, id);
    if (node == NULL)
        return;
    node->watch = watch;
    if (node->watched == (watch >= 0) || id == BERTH_NODE_ROOT)
        return;
    node->watched = watch >= 0;
    berth_ledger_set_flag(nodes->ledger, at_of(nodes, id), BERTH_LEDGER_WATCHED, node->watched);
}

guint64 berth_nodes_begin(const BerthNodes *nodes)
{
    return id_of(nodes, BERTH_NODE_ROOT + 1);
}

guint64 berth_nodes_end(const BerthNodes *nodes)
{
    return nodes->offset + nodes->size;
}

int berth_nodes_path(const BerthNodes *nodes, guint64 id, GString *ret_path)
{
    const BerthNode *node = get(nodes, id);
    g_string_truncate(ret_path, 0);
    while (node != NULL && node->share < 0) {
        g_string_prepend(ret_path, node->name);
        g_string_prepend_c(ret_path, '/');
        node = get(nodes, node->parent);
    }
    if (node == NULL)
        return -1;
    if (ret_path->len == 0)
        g_string_assign(ret_path, ".");
    else
        g_string_erase(ret_path, 0, 1);
    return node->share;
}

void berth_nodes_each_fixed(const BerthNodes *nodes, guint64 parent,
                            void (*function)(guint64 id, const char *name, gpointer user_data),
                            gpointer user_data)
{
    for (guint64 at = 1; at < nodes->size; at++) {
        guint64 id = id_of(nodes, at);
        const BerthNode *node = slot(nodes, id);
        if (node->name != NULL && node->fixed && node->parent == parent && id != BERTH_NODE_ROOT)
            function(id, node->name, user_data);
    }
}

guint berth_nodes_count(const BerthNodes *nodes)
{
    return nodes->in_use;
}

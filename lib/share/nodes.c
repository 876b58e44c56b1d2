/* SPDX-License-Identifier: MIT */
#include "nodes.h"

#include <string.h>

#define BUCKETS_MIN 256u /* a power of two */

/* One array of nodes, with indices as hash chains: 50 000 nodes take little more memory than their
 * names. Slot 0 is unused. */
struct BerthNodes {
    BerthNode *slots;
    guint32 size; /* slots that were ever used, slot 0 included */
    guint32 capacity;
    guint32 unused; /* first of a chain by next_by_key */
    guint32 in_use;
    guint32 *by_key;
    guint32 *by_name;
    guint32 buckets;
    BerthNodeFunc on_forgotten;
    gpointer user_data;
};

static BerthNode *get(const BerthNodes *nodes, guint64 id)
{
    bool valid = id > 0 && id < nodes->size && nodes->slots[id].name != NULL;
    return valid ? &nodes->slots[id] : NULL;
}

/* Source: the finaliser of splitmix64. */
static guint64 mix(guint64 value)
{
    value = (value ^ (value >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static guint32 key_bucket(const BerthNodes *nodes, const BerthNodeKey *key)
{
    guint64 hash = mix(key->inode ^ mix(key->device ^ mix(key->birth_nsec)));
    return (guint32)hash & (nodes->buckets - 1);
}

static guint32 name_bucket(const BerthNodes *nodes, guint32 parent, const char *name)
{
    return (guint32)mix(g_str_hash(name) ^ ((guint64)parent << 32)) & (nodes->buckets - 1);
}

static bool same_key(const BerthNodeKey *a, const BerthNodeKey *b)
{
    return a->inode == b->inode && a->device == b->device && a->birth_nsec == b->birth_nsec;
}

/* A fixed node has no key: it stays when another file takes its place. */
static void link_key(BerthNodes *nodes, guint32 id)
{
    BerthNode *node = &nodes->slots[id];
    if (node->fixed)
        return;
    guint32 *bucket = &nodes->by_key[key_bucket(nodes, &node->key)];
    node->next_by_key = *bucket;
    *bucket = id;
}

static void unlink_key(BerthNodes *nodes, guint32 id)
{
    const BerthNode *node = &nodes->slots[id];
    guint32 *at = &nodes->by_key[key_bucket(nodes, &node->key)];
    while (*at != id)
        at = &nodes->slots[*at].next_by_key;
    *at = node->next_by_key;
}

static void link_name(BerthNodes *nodes, guint32 id)
{
    BerthNode *node = &nodes->slots[id];
    if (node->parent == BERTH_NODE_NONE)
        return;
    guint32 *bucket = &nodes->by_name[name_bucket(nodes, node->parent, node->name)];
    node->next_by_name = *bucket;
    *bucket = id;
}

static void unlink_name(BerthNodes *nodes, guint32 id)
{
    const BerthNode *node = &nodes->slots[id];
    if (node->parent == BERTH_NODE_NONE)
        return;
    guint32 *at = &nodes->by_name[name_bucket(nodes, node->parent, node->name)];
    while (*at != id)
        at = &nodes->slots[*at].next_by_name;
    *at = node->next_by_name;
}

static void hash_again(BerthNodes *nodes, guint32 buckets)
{
    g_free(nodes->by_key);
    g_free(nodes->by_name);
    nodes->buckets = buckets;
    nodes->by_key = g_new0(guint32, buckets);
    nodes->by_name = g_new0(guint32, buckets);
    for (guint32 id = 1; id < nodes->size; id++) {
        if (nodes->slots[id].name == NULL)
            continue;
        link_key(nodes, id);
        link_name(nodes, id);
    }
}

/* A slot without a place. */
static guint32 take_slot(BerthNodes *nodes)
{
    guint32 id = nodes->unused;
    if (id != 0) {
        nodes->unused = nodes->slots[id].next_by_key;
    } else {
        if (nodes->size == nodes->capacity) {
            nodes->capacity *= 2;
            nodes->slots = g_renew(BerthNode, nodes->slots, nodes->capacity);
        }
        id = nodes->size++;
    }
    nodes->slots[id] = (BerthNode){.share = -1, .watch = -1};
    if (++nodes->in_use > nodes->buckets)
        hash_again(nodes, nodes->buckets * 2);
    return id;
}

BerthNodes *berth_nodes_new(BerthNodeFunc on_forgotten, gpointer user_data)
{
    BerthNodes *nodes = g_new0(BerthNodes, 1);
    nodes->on_forgotten = on_forgotten;
    nodes->user_data = user_data;
    nodes->capacity = BUCKETS_MIN;
    nodes->slots = g_new0(BerthNode, nodes->capacity);
    nodes->size = 1;
    hash_again(nodes, BUCKETS_MIN);
    guint32 root = take_slot(nodes);
    g_assert(root == BERTH_NODE_ROOT);
    nodes->slots[root].fixed = true;
    nodes->slots[root].name = g_strdup("");
    return nodes;
}

void berth_nodes_free(BerthNodes *nodes)
{
    if (nodes == NULL)
        return;
    for (guint32 id = 1; id < nodes->size; id++)
        g_free(nodes->slots[id].name);
    g_free(nodes->slots);
    g_free(nodes->by_key);
    g_free(nodes->by_name);
    g_free(nodes);
}

const BerthNode *berth_nodes_get(const BerthNodes *nodes, guint64 id)
{
    return get(nodes, id);
}

guint32 berth_nodes_find(const BerthNodes *nodes, guint32 parent, const char *name)
{
    guint32 id = nodes->by_name[name_bucket(nodes, parent, name)];
    while (id != 0 &&
           (nodes->slots[id].parent != parent || strcmp(nodes->slots[id].name, name) != 0))
        id = nodes->slots[id].next_by_name;
    return id;
}

guint32 berth_nodes_find_key(const BerthNodes *nodes, const BerthNodeKey *key)
{
    guint32 id = nodes->by_key[key_bucket(nodes, key)];
    while (id != 0 && !same_key(&nodes->slots[id].key, key))
        id = nodes->slots[id].next_by_key;
    return id;
}

/* Free @id, then its ancestors, as far as nothing refers to them. */
static void release(BerthNodes *nodes, guint32 id)
{
    while (id != BERTH_NODE_NONE) {
        BerthNode *node = &nodes->slots[id];
        if (node->fixed || node->lookups > 0 || node->children > 0)
            return;
        guint32 parent = node->parent;
        nodes->on_forgotten(node, nodes->user_data);
        unlink_key(nodes, id);
        unlink_name(nodes, id);
        g_clear_pointer(&node->name, g_free);
        node->next_by_key = nodes->unused;
        nodes->unused = id;
        nodes->in_use--;
        if (parent != BERTH_NODE_NONE)
            nodes->slots[parent].children--;
        id = parent;
    }
}

static void hold(BerthNodes *nodes, guint32 id)
{
    nodes->slots[id].lookups++;
}

static void unhold(BerthNodes *nodes, guint32 id)
{
    nodes->slots[id].lookups--;
    release(nodes, id);
}

/* Give @id a place; with BERTH_NODE_NONE it has none. */
static void move(BerthNodes *nodes, guint32 id, guint32 parent, const char *name)
{
    BerthNode *node = &nodes->slots[id];
    guint32 former = node->parent;
    char *copy = g_strdup(name); /* it may be the node's own */
    unlink_name(nodes, id);
    g_free(node->name);
    node->name = copy;
    node->parent = parent;
    link_name(nodes, id);
    if (parent != BERTH_NODE_NONE)
        nodes->slots[parent].children++;
    if (former == BERTH_NODE_NONE)
        return;
    nodes->slots[former].children--;
    release(nodes, former);
}

static bool is_below(const BerthNodes *nodes, guint32 id, guint32 ancestor)
{
    while (id != BERTH_NODE_NONE && id != ancestor)
        id = nodes->slots[id].parent;
    return id == ancestor;
}

static guint32 new_fixed(BerthNodes *nodes, guint32 parent, const char *name)
{
    guint32 id = take_slot(nodes);
    nodes->slots[id].fixed = true;
    nodes->slots[id].name = g_strdup("");
    move(nodes, id, parent, name);
    return id;
}

guint32 berth_nodes_add_share(BerthNodes *nodes, const char *path, guint share)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    guint32 id = BERTH_NODE_ROOT;
    for (char **name = names; *name != NULL; name++) {
        if (**name == '\0')
            continue;
        if (nodes->slots[id].share >= 0)
            return BERTH_NODE_NONE;
        guint32 found = berth_nodes_find(nodes, id, *name);
        id = found != BERTH_NODE_NONE ? found : new_fixed(nodes, id, *name);
    }
    if (nodes->slots[id].share >= 0 || nodes->slots[id].children > 0)
        return BERTH_NODE_NONE;
    nodes->slots[id].share = (gint16)share;
    return id;
}

static void displace(BerthNodes *nodes, guint32 id)
{
    if (id == BERTH_NODE_NONE || nodes->slots[id].fixed)
        return;
    move(nodes, id, BERTH_NODE_NONE, nodes->slots[id].name);
}

guint32 berth_nodes_look_up(BerthNodes *nodes, guint32 parent, const char *name,
                            const BerthNodeKey *key)
{
    guint32 id = berth_nodes_find_key(nodes, key);
    guint32 former = berth_nodes_find(nodes, parent, name);
    if (former != BERTH_NODE_NONE && (former == id || nodes->slots[former].fixed)) {
        nodes->slots[former].lookups++;
        return former;
    }
    hold(nodes, parent); /* while its last child may be released */
    displace(nodes, former);
    if (id == BERTH_NODE_NONE) {
        id = take_slot(nodes);
        nodes->slots[id].key = *key;
        nodes->slots[id].name = g_strdup("");
        link_key(nodes, id);
    }
    nodes->slots[id].lookups++;
    if (!is_below(nodes, parent, id)) /* the host may just have moved it below itself */
        move(nodes, id, parent, name);
    unhold(nodes, parent);
    return id;
}

void berth_nodes_forget(BerthNodes *nodes, guint64 id, guint64 count)
{
    BerthNode *node = get(nodes, id);
    if (node == NULL)
        return;
    node->lookups -= MIN(count, node->lookups);
    release(nodes, (guint32)id);
}

void berth_nodes_remove(BerthNodes *nodes, guint32 parent, const char *name)
{
    displace(nodes, berth_nodes_find(nodes, parent, name));
}

void berth_nodes_rename(BerthNodes *nodes, guint32 parent, const char *name, guint32 new_parent,
                        const char *new_name, bool swap)
{
    guint32 id = berth_nodes_find(nodes, parent, name);
    guint32 other = berth_nodes_find(nodes, new_parent, new_name);
    if (get(nodes, parent) == NULL || get(nodes, new_parent) == NULL || id == other)
        return;
    if ((id != BERTH_NODE_NONE && (nodes->slots[id].fixed || is_below(nodes, new_parent, id))) ||
        (other != BERTH_NODE_NONE && nodes->slots[other].fixed))
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

void berth_nodes_set_watch(BerthNodes *nodes, guint32 id, int watch)
{
    BerthNode *node = get(nodes, id);
    if (node != NULL)
        node->watch = watch;
}

guint32 berth_nodes_end(const BerthNodes *nodes)
{
    return nodes->size;
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

void berth_nodes_each_fixed(const BerthNodes *nodes, guint32 parent,
                            void (*function)(guint32 id, const char *name, gpointer user_data),
                            gpointer user_data)
{
    for (guint32 id = 1; id < nodes->size; id++) {
        const BerthNode *node = &nodes->slots[id];
        if (node->name != NULL && node->fixed && node->parent == parent && id != BERTH_NODE_ROOT)
            function(id, node->name, user_data);
    }
}

guint berth_nodes_count(const BerthNodes *nodes)
{
    return nodes->in_use;
}

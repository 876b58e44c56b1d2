/* SPDX-License-Identifier: MIT */
#include "nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS_MIN 1024u
/* A file that changed this shortly before it was opened may change again without a new time. */
#define QUIET_SEC 1

typedef struct Node Node;

typedef struct Handle {
    struct Handle *next; /* of the node's */
    Node *node;
    uint64_t id;
    int fd;
} Handle;

struct Node {
    Node *next_id, *next_key; /* in the buckets */
    uint64_t id;
    NodeKey key;
    Node *parent; /* NULL: the root, or there was no memory for the name */
    char *name;
    uint64_t lookups;
    uint32_t children; /* nodes whose parent it is */
    Handle *handles;
    struct statx_timestamp opened; /* the time of the last change, at the last open; 0: unknown */
};

static struct {
    pthread_mutex_t lock;
    int root_fd;
    Node root;
    Node **by_id, **by_key;
    size_t buckets, count;
    uint64_t last; /* of ids; another process' begin elsewhere */
    Handle **handles;
    size_t handles_size;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

NodeKey node_key(const struct statx *info)
{
    bool born = (info->stx_mask & STATX_BTIME) != 0;
    return (NodeKey){
        .device = (uint64_t)info->stx_dev_major << 32 | info->stx_dev_minor,
        .inode = info->stx_ino,
        .birth =
            born ? (uint64_t)info->stx_btime.tv_sec * 1000000000u + info->stx_btime.tv_nsec : 0,
    };
}

static bool is_key(const NodeKey *a, const NodeKey *b)
{
    return a->device == b->device && a->inode == b->inode && a->birth == b->birth;
}

/* ---- buckets ---- */

static size_t mix(uint64_t value)
{
    return (size_t)((value * 0x9E3779B97F4A7C15u) >> 32);
}

static Node **id_bucket(uint64_t id)
{
    return &table.by_id[mix(id) & (table.buckets - 1)];
}

static Node **key_bucket(const NodeKey *key)
{
    return &table.by_key[mix(key->inode ^ key->device << 40) & (table.buckets - 1)];
}

static void insert(Node *node)
{
    Node **id = id_bucket(node->id), **key = key_bucket(&node->key);
    node->next_id = *id;
    node->next_key = *key;
    *id = *key = node;
}

static bool make_buckets(size_t count)
{
    Node **ids = calloc(count, sizeof(*ids)), **keys = calloc(count, sizeof(*keys));
    if (ids == NULL || keys == NULL) {
        free(ids);
        free(keys);
        return false;
    }
    table.by_id = ids;
    table.by_key = keys;
    table.buckets = count;
    return true;
}

/* Without memory for more buckets the chains grow. */
static void grow(void)
{
    Node **ids = table.by_id, **keys = table.by_key;
    size_t before = table.buckets;
    if (table.count < before || !make_buckets(before * 2))
        return;
    for (size_t i = 0; i < before; i++)
        for (Node *node = ids[i], *next; node != NULL; node = next) {
            next = node->next_id;
            insert(node);
        }
    free(ids);
    free(keys);
}

static Node *find(uint64_t id)
{
    Node *node = id == NODE_ROOT ? &table.root : *id_bucket(id);
    while (node != NULL && node->id != id)
        node = node->next_id;
    return node;
}

static Node *find_key(const NodeKey *key)
{
    if (is_key(key, &table.root.key))
        return &table.root;
    Node *node = *key_bucket(key);
    while (node != NULL && !is_key(&node->key, key))
        node = node->next_key;
    return node;
}

/* ---- the tree ---- */

int nodes_begin(void)
{
    struct statx info;
    uint32_t start = 0;
    if (getrandom(&start, sizeof(start), 0) != sizeof(start) || !make_buckets(BUCKETS_MIN))
        return -ENOMEM;
    table.last = (uint64_t)(start >> 1 | 1u) << 32;
    table.root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (table.root_fd < 0 ||
        statx(table.root_fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &info) < 0)
        return -errno;
    table.root.id = NODE_ROOT;
    table.root.key = node_key(&info);
    table.root.lookups = 1;
    return 0;
}

static void remove_node(Node *node)
{
    Node **link = id_bucket(node->id);
    while (*link != node)
        link = &(*link)->next_id;
    *link = node->next_id;
    link = key_bucket(&node->key);
    while (*link != node)
        link = &(*link)->next_key;
    *link = node->next_key;
    table.count--;
    free(node->name);
    free(node);
}

/* Free @node, and then its parents, unless they are in use. */
static void drop_unused(Node *node)
{
    while (node != NULL && node != &table.root && node->lookups == 0 && node->children == 0 &&
           node->handles == NULL) {
        Node *parent = node->parent;
        remove_node(node);
        if (parent != NULL)
            parent->children--;
        node = parent;
    }
}

static bool is_above(const Node *node, const Node *other)
{
    while (other != NULL && other != node)
        other = other->parent;
    return other != NULL;
}

/* Without memory for the name the node keeps its former place, where it is not found. */
static void place(Node *node, Node *parent, const char *name)
{
    bool same = node->parent == parent && node->name != NULL && strcmp(node->name, name) == 0;
    if (node == &table.root || same || is_above(node, parent))
        return;
    char *copy = strdup(name);
    Node *before = node->parent;
    if (copy == NULL)
        return;
    free(node->name);
    node->name = copy;
    node->parent = parent;
    parent->children++;
    if (before != NULL) {
        before->children--;
        drop_unused(before);
    }
}

uint64_t node_enter(uint64_t parent_id, const char *name, const struct statx *info)
{
    const NodeKey key = node_key(info);
    uint64_t id = 0;
    pthread_mutex_lock(&table.lock);
    Node *parent = find(parent_id), *node = find_key(&key);
    if (node == NULL && parent != NULL && (node = calloc(1, sizeof(*node))) != NULL) {
        node->id = ++table.last;
        node->key = key;
        grow();
        insert(node);
        table.count++;
    }
    if (node != NULL && parent != NULL) {
        node->lookups++;
        place(node, parent, name);
        id = node->id;
    }
    pthread_mutex_unlock(&table.lock);
    return id;
}

void node_forget(uint64_t id, uint64_t count)
{
    pthread_mutex_lock(&table.lock);
    Node *node = find(id);
    if (node != NULL && node != &table.root) {
        node->lookups -= count < node->lookups ? count : node->lookups;
        drop_unused(node);
    }
    pthread_mutex_unlock(&table.lock);
}

void node_moved(uint64_t parent_id, const char *name, const struct statx *info)
{
    const NodeKey key = node_key(info);
    pthread_mutex_lock(&table.lock);
    Node *parent = find(parent_id), *node = find_key(&key);
    if (parent != NULL && node != NULL)
        place(node, parent, name);
    pthread_mutex_unlock(&table.lock);
}

/* ---- paths ---- */

/* Write the path of @node from "/" without the slash, "" for the root, to the end of @buffer.
 * Returns its beginning, or NULL: it is too long. */
static const char *path_of(const Node *node, char buffer[PATH_MAX])
{
    char *start = buffer + PATH_MAX - 1;
    *start = '\0';
    for (; node->parent != NULL; node = node->parent) {
        size_t length = strlen(node->name);
        bool last = *start == '\0';
        if ((size_t)(start - buffer) < length + !last)
            return NULL;
        if (!last)
            *--start = '/';
        start -= length;
        memcpy(start, node->name, length);
    }
    return start;
}

static int open_path(const char *path)
{
    const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    int fd = *path != '\0' ? openat(table.root_fd, path, flags)
                           : fcntl(table.root_fd, F_DUPFD_CLOEXEC, 3);
    if (fd >= 0)
        return fd;
    return errno == ENOENT || errno == ENOTDIR ? -ESTALE : -errno;
}

/* Close @fd and return -ESTALE if it is not the file @key. */
static int check_key(int fd, const NodeKey *key)
{
    struct statx info;
    bool known = statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &info) == 0;
    NodeKey found = known ? node_key(&info) : (NodeKey){0};
    if (known && is_key(&found, key))
        return fd;
    close(fd);
    return -ESTALE;
}

static int open_by_handle(uint64_t id)
{
    char path[32];
    pthread_mutex_lock(&table.lock);
    const Node *node = find(id);
    const Handle *handle = node != NULL ? node->handles : NULL;
    int fd = handle != NULL ? fcntl(handle->fd, F_DUPFD_CLOEXEC, 3) : -1;
    pthread_mutex_unlock(&table.lock);
    if (fd < 0)
        return -ESTALE;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int opened = open(path, O_PATH | O_CLOEXEC);
    int result = opened >= 0 ? opened : -errno;
    close(fd);
    return result;
}

int node_open(uint64_t id)
{
    char buffer[PATH_MAX];
    NodeKey key = {0};
    pthread_mutex_lock(&table.lock);
    const Node *node = find(id);
    const char *path = node != NULL ? path_of(node, buffer) : NULL;
    if (node != NULL)
        key = node->key;
    pthread_mutex_unlock(&table.lock);
    if (node == NULL)
        return -ESTALE;
    int fd = path != NULL ? open_path(path) : -ENAMETOOLONG;
    if (fd >= 0 && id != NODE_ROOT)
        fd = check_key(fd, &key);
    return fd == -ESTALE ? open_by_handle(id) : fd;
}

/* ---- handles: the low half of a handle is an index, the high half is the process' ---- */

static bool grow_handles(void)
{
    size_t size = table.handles_size * 2 + 64;
    Handle **more = realloc(table.handles, size * sizeof(*more));
    if (more == NULL)
        return false;
    memset(more + table.handles_size, 0, (size - table.handles_size) * sizeof(*more));
    table.handles = more;
    table.handles_size = size;
    return true;
}

static size_t free_slot(void)
{
    size_t slot = 0;
    while (slot < table.handles_size && table.handles[slot] != NULL)
        slot++;
    return slot;
}

static uint64_t epoch(void)
{
    return table.last >> 32 << 32;
}

static Handle *find_handle(uint64_t id)
{
    uint64_t slot = (id & UINT32_MAX) - 1;
    bool ours = id >> 32 == table.last >> 32 && slot < table.handles_size;
    return ours ? table.handles[slot] : NULL;
}

uint64_t handle_add(uint64_t id, int fd)
{
    uint64_t result = 0;
    pthread_mutex_lock(&table.lock);
    Node *node = find(id);
    size_t slot = free_slot();
    Handle *handle = calloc(1, sizeof(*handle));
    bool room = slot < table.handles_size || grow_handles();
    if (node != NULL && handle != NULL && room) {
        result = epoch() | (slot + 1);
        *handle = (Handle){.next = node->handles, .node = node, .id = result, .fd = fd};
        node->handles = table.handles[slot] = handle;
    }
    pthread_mutex_unlock(&table.lock);
    if (result == 0) {
        free(handle);
        close(fd);
    }
    return result;
}

int handle_fd(uint64_t id)
{
    pthread_mutex_lock(&table.lock);
    const Handle *handle = find_handle(id);
    int fd = handle != NULL ? handle->fd : -ESTALE;
    pthread_mutex_unlock(&table.lock);
    return fd;
}

void handle_release(uint64_t id)
{
    pthread_mutex_lock(&table.lock);
    Handle *handle = find_handle(id);
    if (handle != NULL) {
        Handle **link = &handle->node->handles;
        while (*link != handle)
            link = &(*link)->next;
        *link = handle->next;
        table.handles[(id & UINT32_MAX) - 1] = NULL;
        drop_unused(handle->node);
    }
    pthread_mutex_unlock(&table.lock);
    if (handle != NULL)
        close(handle->fd); /* may take long */
    free(handle);
}

bool node_is_unchanged(uint64_t id, const struct statx *info)
{
    const struct statx_timestamp *changed = &info->stx_ctime;
    struct timespec now;
    bool same = false;
    clock_gettime(CLOCK_REALTIME, &now);
    bool quiet = changed->tv_sec + QUIET_SEC < now.tv_sec;
    pthread_mutex_lock(&table.lock);
    Node *node = find(id);
    if (node != NULL) {
        same = quiet && node->opened.tv_sec == changed->tv_sec &&
               node->opened.tv_nsec == changed->tv_nsec;
        node->opened = quiet ? *changed : (struct statx_timestamp){0};
    }
    pthread_mutex_unlock(&table.lock);
    return same;
}

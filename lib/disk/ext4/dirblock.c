/* SPDX-License-Identifier: MIT */
#include "dirblock.h"

#include "base/le.h"

#include <string.h>

#define TAIL_SIZE 12U /* a nameless entry of type 0xde that holds the checksum */
#define TAIL_TYPE 0xde
#define DATA_SIZE (BERTH_BLOCK_SIZE - TAIL_SIZE)
#define LEAF_FILL (DATA_SIZE * 85 / 100) /* slack lets a leaf gain names before it splits */

#define HASH_HALF_MD4    1
#define INDEX_ENTRY_SIZE 8U
#define INDEX_TAIL_SIZE  8U
#define ROOT_INFO_AT     24U
#define ROOT_INDEX_AT    32U
#define NODE_INDEX_AT    8U
#define ROOT_LIMIT       ((BERTH_BLOCK_SIZE - ROOT_INDEX_AT - INDEX_TAIL_SIZE) / INDEX_ENTRY_SIZE)
#define NODE_LIMIT       ((BERTH_BLOCK_SIZE - NODE_INDEX_AT - INDEX_TAIL_SIZE) / INDEX_ENTRY_SIZE)
#define NODE_FILL        (NODE_LIMIT * 80 / 100)

typedef struct {
    guint32
        hash; /* lowest hash of the block; bit 0: equal to the last hash of the previous block */
    guint32 block;
} IndexEntry;

static guint entry_size(const char *name)
{
    return (8 + (guint)strlen(name) + 3) & ~3U;
}

/* Write one entry with record length @size. */
static void put_entry(guint8 *at, guint32 inode, const char *name, guint8 type, guint size)
{
    gsize length = strlen(name);
    berth_le_put32(at, inode);
    berth_le_put16(at + 4, size);
    at[6] = (guint8)length;
    at[7] = type;
    memcpy(at + 8, name, length);
}

static guint8 *add_block(GByteArray *blocks)
{
    guint at = blocks->len;
    g_byte_array_set_size(blocks, at + BERTH_BLOCK_SIZE);
    memset(blocks->data + at, 0, BERTH_BLOCK_SIZE);
    return blocks->data + at;
}

/* Fill @block from @at with entries [first, end); the last entry's record spans the rest
 * but the tail, which holds the checksum. */
static void put_entries(guint8 *block, guint at, const GArray *entries, guint first, guint end)
{
    for (guint i = first; i < end; i++) {
        const BerthDirent *entry = &g_array_index(entries, BerthDirent, i);
        guint size = i + 1 == end ? DATA_SIZE - at : entry_size(entry->name);
        put_entry(block + at, entry->inode, entry->name, entry->type, size);
        at += size;
    }
    berth_le_put16(block + DATA_SIZE + 4, TAIL_SIZE);
    block[DATA_SIZE + 7] = TAIL_TYPE;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(((const BerthDirent *)a)->name, ((const BerthDirent *)b)->name);
}

static int compare_hashes(gconstpointer a, gconstpointer b)
{
    const BerthDirent *x = a;
    const BerthDirent *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->minor_hash != y->minor_hash)
        return x->minor_hash < y->minor_hash ? -1 : 1;
    return compare_names(a, b);
}

static guint total_size(const GArray *entries)
{
    guint size = entry_size(".") + entry_size("..");
    for (guint i = 0; i < entries->len && size <= DATA_SIZE; i++)
        size += entry_size(g_array_index(entries, BerthDirent, i).name);
    return size;
}

static void encode_linear(GByteArray *blocks, guint32 self, guint32 parent, GArray *entries)
{
    g_array_sort(entries, compare_names);
    guint8 *block = add_block(blocks);
    put_entry(block, self, ".", BERTH_DIRENT_DIRECTORY, 12);
    put_entry(block + 12, parent, "..", BERTH_DIRENT_DIRECTORY,
              entries->len == 0 ? DATA_SIZE - 12 : 12);
    put_entries(block, 24, entries, 0, entries->len);
}

/* Split the sorted entries into leaves; the index entries' block numbers count from 0. */
static GArray *encode_leaves(GByteArray *leaves, const GArray *entries)
{
    GArray *index = g_array_new(false, false, sizeof(IndexEntry));
    for (guint first = 0, end; first < entries->len; first = end) {
        guint size = 0;
        for (end = first; end < entries->len; end++) {
            guint more = entry_size(g_array_index(entries, BerthDirent, end).name);
            if (size + more > LEAF_FILL)
                break;
            size += more;
        }

        guint32 hash = g_array_index(entries, BerthDirent, first).hash;
        bool continues = first > 0 && g_array_index(entries, BerthDirent, first - 1).hash == hash;
        IndexEntry entry = {.hash = hash | continues, .block = index->len};
        g_array_append_val(index, entry);
        put_entries(add_block(leaves), 0, entries, first, end);
    }
    return index;
}

/* Write an index: limit and count in place of the first hash, then (hash, block) pairs. */
static void put_index(guint8 *at, guint limit, const IndexEntry *index, guint count,
                      guint32 first_block)
{
    for (guint i = 0; i < count; i++) {
        berth_le_put32(at + i * INDEX_ENTRY_SIZE, index[i].hash);
        berth_le_put32(at + i * INDEX_ENTRY_SIZE + 4, index[i].block + first_block);
    }
    berth_le_put16(at, limit);
    berth_le_put16(at + 2, count);
}

static void put_root(guint8 *block, guint32 self, guint32 parent, guint levels)
{
    put_entry(block, self, ".", BERTH_DIRENT_DIRECTORY, 12);
    put_entry(block + 12, parent, "..", BERTH_DIRENT_DIRECTORY, BERTH_BLOCK_SIZE - 12);
    block[ROOT_INFO_AT + 4] = HASH_HALF_MD4;
    block[ROOT_INFO_AT + 5] = ROOT_INDEX_AT - ROOT_INFO_AT;
    block[ROOT_INFO_AT + 6] = (guint8)levels;
}

static bool encode_indexed(GByteArray *blocks, guint32 self, guint32 parent, GArray *entries)
{
    g_array_sort(entries, compare_hashes);
    g_autoptr(GByteArray) leaf_blocks = g_byte_array_new();
    g_autoptr(GArray) leaves = encode_leaves(leaf_blocks, entries);
    const IndexEntry *leaf = (const IndexEntry *)(void *)leaves->data;

    guint nodes = leaves->len <= ROOT_LIMIT ? 0 : (leaves->len + NODE_FILL - 1) / NODE_FILL;
    if (nodes > ROOT_LIMIT)
        return false;

    put_root(add_block(blocks), self, parent, nodes > 0);
    g_autoptr(GArray) top = g_array_new(false, false, sizeof(IndexEntry));
    for (guint i = 0; i < nodes; i++) {
        guint first = i * NODE_FILL;
        IndexEntry entry = {.hash = leaf[first].hash, .block = i};
        g_array_append_val(top, entry);

        guint8 *node = add_block(blocks);
        berth_le_put16(node + 4, BERTH_BLOCK_SIZE);
        put_index(node + NODE_INDEX_AT, NODE_LIMIT, leaf + first,
                  MIN(NODE_FILL, leaves->len - first), nodes + 1);
    }

    const GArray *index = nodes > 0 ? top : leaves;
    put_index(blocks->data + ROOT_INDEX_AT, ROOT_LIMIT, (const IndexEntry *)(void *)index->data,
              index->len, 1);
    g_byte_array_append(blocks, leaf_blocks->data, leaf_blocks->len);
    return true;
}

GByteArray *berth_dirblock_encode(guint32 self, guint32 parent, GArray *entries, bool *ret_indexed)
{
    g_autoptr(GByteArray) blocks = g_byte_array_new();
    bool indexed = total_size(entries) > DATA_SIZE;
    if (!indexed)
        encode_linear(blocks, self, parent, entries);
    else if (!encode_indexed(blocks, self, parent, entries))
        return NULL;
    *ret_indexed = indexed;
    return g_steal_pointer(&blocks);
}

/* SPDX-License-Identifier: MIT */
#include "ext4_xattr.h"

#include "acl.h"
#include "dirblock.h"
#include "entry.h"

#include <ext2fs/ext2_ext_attr.h>
#include <string.h>

#define END_SIZE 4U /* the list of entries ends in zeros */

typedef struct {
    guint8 index;
    const char *name; /* without what the index says */
    guint8 length;
    GBytes *value;
} Item;

/* Entries grow from the front, values from the back. */
typedef struct {
    guint8 *base; /* that offsets of values count from */
    guint8 *next;
    guint8 *values;
    bool hashed;
} Area;

static const struct {
    const char *prefix;
    guint8 index;
} prefixes[] = {
    {"user.", 1},    {BERTH_ACL_ACCESS, 2}, {BERTH_ACL_DEFAULT, 3},
    {"trusted.", 4}, {"security.", 6},      {"system.", 7},
};

static void item_clear(gpointer data)
{
    g_bytes_unref(((Item *)data)->value);
}

static Item make_item(const BerthXattr *xattr)
{
    Item item = {.value = NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes) && item.index == 0; i++) {
        if (!g_str_has_prefix(xattr->name, prefixes[i].prefix))
            continue;
        item.index = prefixes[i].index;
        item.name = xattr->name + strlen(prefixes[i].prefix);
    }
    g_assert(item.index != 0); /* berth_entry_normalise() lets no other pass */
    item.length = (guint8)strlen(item.name);
    bool is_acl = item.index == 2 || item.index == 3;
    item.value = is_acl ? berth_acl_to_disk(xattr->value) : g_bytes_ref(xattr->value);
    return item;
}

/* The kernel looks for a name by this order. */
static int compare_items(gconstpointer a, gconstpointer b)
{
    const Item *x = a;
    const Item *y = b;
    if (x->index != y->index)
        return x->index - y->index;
    if (x->length != y->length)
        return x->length - y->length;
    return memcmp(x->name, y->name, x->length);
}

static bool put_item(Area *area, const Item *item)
{
    gsize size;
    const void *value = g_bytes_get_data(item->value, &size);
    gsize head = EXT2_EXT_ATTR_LEN(item->length);
    gsize body = (size + EXT2_EXT_ATTR_ROUND) & ~(gsize)EXT2_EXT_ATTR_ROUND;
    if ((gsize)(area->values - area->next) < head + body + END_SIZE)
        return false;

    struct ext2_ext_attr_entry *entry = (void *)area->next;
    entry->e_name_len = item->length;
    entry->e_name_index = item->index;
    entry->e_value_size = (guint32)size;
    memcpy(area->next + sizeof(*entry), item->name, item->length);
    area->next += head;
    area->values -= body;
    if (size > 0) {
        entry->e_value_offs = (guint16)(area->values - area->base);
        memcpy(area->values, value, size);
    }
    if (area->hashed)
        entry->e_hash = ext2fs_ext_attr_hash_entry(entry, area->values);
    return true;
}

bool berth_xattr_encode(const GArray *xattrs, guint8 body[BERTH_XATTR_BODY_SIZE], guint8 *block,
                        bool *ret_block)
{
    g_autoptr(GArray) items = g_array_new(false, false, sizeof(Item));
    g_array_set_clear_func(items, item_clear);
    for (guint i = 0; i < xattrs->len; i++) {
        Item item = make_item(&g_array_index(xattrs, BerthXattr, i));
        g_array_append_val(items, item);
    }
    g_array_sort(items, compare_items);

    memset(body, 0, BERTH_XATTR_BODY_SIZE);
    memset(block, 0, BERTH_BLOCK_SIZE);
    guint8 *first = body + sizeof(guint32);
    Area inside = {.base = first, .next = first, .values = body + BERTH_XATTR_BODY_SIZE};
    guint8 *start = block + sizeof(struct ext2_ext_attr_header);
    Area outside = {
        .base = block, .next = start, .values = block + BERTH_BLOCK_SIZE, .hashed = true};
    for (guint i = 0; i < items->len; i++) {
        const Item *item = &g_array_index(items, Item, i);
        if (!put_item(&inside, item) && !put_item(&outside, item))
            return false;
    }
    guint32 magic = EXT2_EXT_ATTR_MAGIC;
    if (inside.next > first)
        memcpy(body, &magic, sizeof(magic));
    *ret_block = outside.next > start;
    return true;
}

void berth_xattr_seal(ext2_filsys fs, guint8 *block, guint64 number, guint32 shares)
{
    struct ext2_ext_attr_header *header = (void *)block;
    header->h_magic = EXT2_EXT_ATTR_MAGIC;
    header->h_refcount = shares;
    header->h_blocks = 1;
    struct ext2_ext_attr_entry *end = (void *)(header + 1);
    while (!EXT2_EXT_IS_LAST_ENTRY(end))
        end = EXT2_EXT_ATTR_NEXT(end);
    ext2fs_ext_attr_block_rehash(header, end);
    ext2fs_ext_attr_block_csum_set(fs, 0, number, header);
}

/* SPDX-License-Identifier: MIT */
#include "ext4_xattr.h"

#include "dirblock.h"

#include "disk/tree/acl.h"
#include "disk/tree/entry.h"

#include <ext2fs/ext2_ext_attr.h>
#include <string.h>

#define END_SIZE      4U /* zeros that end the list of entries */
#define INDEX_USER    1
#define INDEX_TRUSTED 4

typedef struct {
    guint8 index;
    const char *name; /* without the prefix that the index stands for */
    guint8 length;
    GBytes *value;
    guint place; /* PLACE_... */
} Item;

enum { PLACE_BODY, PLACE_BLOCK, PLACES, PLACE_NONE = PLACES };

/* Entries grow from the front, values from the end. */
typedef struct {
    guint8 *base; /* offsets of values are relative to this */
    guint8 *next;
    guint8 *values;
    bool hashed;
} Area;

static const struct {
    const char *prefix;
    guint8 index;
} prefixes[] = {
    {"user.", INDEX_USER},       {BERTH_ACL_ACCESS, 2}, {BERTH_ACL_DEFAULT, 3},
    {"trusted.", INDEX_TRUSTED}, {"security.", 6},      {"system.", 7},
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
    g_assert(item.index != 0); /* berth_entry_normalise() rejects other prefixes */
    item.length = (guint8)strlen(item.name);
    bool is_acl = item.index == 2 || item.index == 3;
    item.value = is_acl ? berth_acl_to_disk(xattr->value) : g_bytes_ref(xattr->value);
    return item;
}

/* The sort order that the kernel's lookup requires. */
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

static gsize head_size(const Item *item)
{
    return EXT2_EXT_ATTR_LEN(item->length);
}

static gsize value_size(const Item *item)
{
    return (g_bytes_get_size(item->value) + EXT2_EXT_ATTR_ROUND) & ~(gsize)EXT2_EXT_ATTR_ROUND;
}

static void put_item(Area *area, const Item *item)
{
    gsize size;
    const void *value = g_bytes_get_data(item->value, &size);
    struct ext2_ext_attr_entry *entry = (void *)area->next;
    entry->e_name_len = item->length;
    entry->e_name_index = item->index;
    entry->e_value_size = (guint32)size;
    memcpy(area->next + sizeof(*entry), item->name, item->length);
    area->next += head_size(item);
    area->values -= value_size(item);
    if (size > 0) {
        entry->e_value_offs = (guint16)(area->values - area->base);
        memcpy(area->values, value, size);
    }
    if (area->hashed)
        entry->e_hash = ext2fs_ext_attr_hash_entry(entry, area->values);
}

/* Assign each of @items (pointers) to the first place with room for it. Returns the number without
 * a place. */
static guint assign_places(const GPtrArray *items)
{
    gsize room[PLACES] = {BERTH_XATTR_BODY_SIZE - sizeof(guint32) - END_SIZE,
                          BERTH_BLOCK_SIZE - sizeof(struct ext2_ext_attr_header) - END_SIZE};
    guint without = 0;
    for (guint i = 0; i < items->len; i++) {
        Item *item = items->pdata[i];
        gsize size = head_size(item) + value_size(item);
        item->place = PLACE_BODY;
        while (item->place < PLACES && size > room[item->place])
            item->place++;
        if (item->place < PLACES)
            room[item->place] -= size;
        else
            without++;
    }
    return without;
}

static int unimportance(const Item *item)
{
    return item->index == INDEX_USER ? 2 : item->index == INDEX_TRUSTED ? 1 : 0;
}

static int compare_importance(gconstpointer a, gconstpointer b)
{
    const Item *x = *(const Item *const *)a;
    const Item *y = *(const Item *const *)b;
    if (unimportance(x) != unimportance(y))
        return unimportance(x) - unimportance(y);
    gsize size = head_size(x) + value_size(x);
    gsize other = head_size(y) + value_size(y);
    return size != other ? (size < other ? -1 : 1) : compare_items(x, y);
}

/* Try the kernel's order first; if not all fit, assign the most important ones first. */
static guint find_places(GArray *items)
{
    g_autoptr(GPtrArray) order = g_ptr_array_new();
    for (guint i = 0; i < items->len; i++)
        g_ptr_array_add(order, &g_array_index(items, Item, i));
    if (assign_places(order) == 0)
        return 0;
    g_ptr_array_sort(order, compare_importance);
    return assign_places(order);
}

static GArray *make_items(const GArray *xattrs)
{
    GArray *items = g_array_new(false, false, sizeof(Item));
    g_array_set_clear_func(items, item_clear);
    for (guint i = 0; i < xattrs->len; i++) {
        Item item = make_item(&g_array_index(xattrs, BerthXattr, i));
        g_array_append_val(items, item);
    }
    g_array_sort(items, compare_items);
    return items;
}

guint berth_ext4_xattr_encode(const GArray *xattrs, guint8 body[BERTH_XATTR_BODY_SIZE],
                              guint8 *block, bool *ret_block)
{
    g_autoptr(GArray) items = make_items(xattrs);
    guint without = find_places(items);
    memset(body, 0, BERTH_XATTR_BODY_SIZE);
    memset(block, 0, BERTH_BLOCK_SIZE);
    guint8 *first = body + sizeof(guint32);
    guint8 *start = block + sizeof(struct ext2_ext_attr_header);
    Area areas[PLACES] = {
        {.base = first, .next = first, .values = body + BERTH_XATTR_BODY_SIZE},
        {.base = block, .next = start, .values = block + BERTH_BLOCK_SIZE, .hashed = true},
    };
    for (guint i = 0; i < items->len; i++) {
        const Item *item = &g_array_index(items, Item, i);
        if (item->place < PLACES)
            put_item(&areas[item->place], item);
    }
    guint32 magic = EXT2_EXT_ATTR_MAGIC;
    if (areas[PLACE_BODY].next > first)
        memcpy(body, &magic, sizeof(magic));
    *ret_block = areas[PLACE_BLOCK].next > start;
    return without;
}

void berth_ext4_xattr_seal(ext2_filsys fs, guint8 *block, guint64 number, guint32 shares)
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

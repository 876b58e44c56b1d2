/* SPDX-License-Identifier: MIT */
#include "ext4_dir.h"

#include "ext4_map.h"

#include <string.h>

#define SIZE_LIMIT (G_GUINT64_CONSTANT(1) << 31) /* without largedir the kernel stops at 2 GiB */

struct BerthDirListing {
    GStringChunk *names;
    GArray *items; /* BerthDirItem */
};

void berth_dir_listing_free(BerthDirListing *listing)
{
    if (listing == NULL)
        return;
    g_string_chunk_free(listing->names);
    g_array_unref(listing->items);
    g_free(listing);
}

const BerthDirItem *berth_dir_listing_nth(const BerthDirListing *listing, guint index)
{
    return index < listing->items->len ? &g_array_index(listing->items, BerthDirItem, index) : NULL;
}

static errcode_t add_item(BerthDirListing *listing, const struct ext2_dir_entry *raw)
{
    gsize length = (gsize)ext2fs_dirent_name_len(raw);
    const char *name = raw->name;
    if (length == 0 || memchr(name, '/', length) != NULL || memchr(name, '\0', length) != NULL)
        return EXT2_ET_DIR_CORRUPTED;
    if ((length == 1 && name[0] == '.') || (length == 2 && name[0] == '.' && name[1] == '.'))
        return 0;
    BerthDirItem item = {.name = g_string_chunk_insert_len(listing->names, name, (gssize)length),
                         .inode = raw->inode};
    g_array_append_val(listing->items, item);
    return 0;
}

/* Read a block. Nodes of an htree index look like one empty entry that spans the block. */
static errcode_t read_block(ext2_filsys fs, guint8 *block, BerthDirListing *listing)
{
    for (guint at = 0; at < fs->blocksize;) {
        struct ext2_dir_entry *raw = (void *)(block + at);
        guint length = 0;
        if (fs->blocksize - at < 8 || ext2fs_get_rec_len(fs, raw, &length) != 0 || length < 8 ||
            length % 4 != 0 || length > fs->blocksize - at ||
            (guint)ext2fs_dirent_name_len(raw) + 8 > length)
            return EXT2_ET_DIR_CORRUPTED;
        errcode_t code = raw->inode != 0 ? add_item(listing, raw) : 0;
        if (code != 0)
            return code;
        at += length;
    }
    return 0;
}

static errcode_t read_run(ext2_filsys fs, guint32 number, const BerthDataRun *run, guint8 *block,
                          BerthDirListing *listing)
{
    for (guint64 at = 0; at < run->length; at += fs->blocksize) {
        errcode_t code = berth_ext4_io_read(fs, run->position + at, block, fs->blocksize);
        if (code == 0 && !ext2fs_dir_block_csum_verify(fs, number, (void *)block))
            code = EXT2_ET_DIR_CSUM_INVALID;
        if (code == 0)
            code = read_block(fs, block, listing);
        if (code != 0)
            return code;
    }
    return 0;
}

static int compare_items(gconstpointer a, gconstpointer b)
{
    return strcmp(((const BerthDirItem *)a)->name, ((const BerthDirItem *)b)->name);
}

static errcode_t sort(BerthDirListing *listing)
{
    g_array_sort(listing->items, compare_items);
    for (guint i = 1; i < listing->items->len; i++) {
        const BerthDirItem *item = &g_array_index(listing->items, BerthDirItem, i);
        if (strcmp(item[-1].name, item->name) == 0)
            return EXT2_ET_DIR_EXISTS;
    }
    return 0;
}

errcode_t berth_dir_listing_read(ext2_filsys fs, guint32 number, const struct ext2_inode *inode,
                                 BerthDirListing **ret_listing)
{
    guint64 size = EXT2_I_SIZE(inode);
    if (size == 0 || size % fs->blocksize != 0 || size > SIZE_LIMIT)
        return EXT2_ET_DIR_CORRUPTED;
    g_autoptr(GArray) runs = NULL;
    errcode_t code = berth_ext4_map(fs, number, inode, size, &runs);
    if (code != 0)
        return code;

    g_autoptr(BerthDirListing) listing = g_new0(BerthDirListing, 1);
    listing->names = g_string_chunk_new(1024);
    listing->items = g_array_new(false, false, sizeof(BerthDirItem));
    g_autofree guint8 *block = g_malloc(fs->blocksize);
    guint64 next = 0;
    for (guint i = 0; code == 0 && i < runs->len; i++) {
        const BerthDataRun *run = &g_array_index(runs, BerthDataRun, i);
        code =
            run->offset == next ? read_run(fs, number, run, block, listing) : EXT2_ET_DIR_CORRUPTED;
        next = run->offset + run->length;
    }
    if (code == 0 && next != size)
        code = EXT2_ET_DIR_CORRUPTED;
    if (code == 0)
        code = sort(listing);
    if (code == 0)
        *ret_listing = g_steal_pointer(&listing);
    return code;
}

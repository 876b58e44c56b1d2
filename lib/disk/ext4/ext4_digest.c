/* SPDX-License-Identifier: MIT */
#include "ext4_digest.h"

#include <string.h>
#include <sys/stat.h>

static void add_number(GChecksum *sum, guint64 value)
{
    guint64 swapped = GUINT64_TO_LE(value);
    g_checksum_update(sum, (const guchar *)&swapped, sizeof(swapped));
}

static void add_text(GChecksum *sum, const char *text)
{
    g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1);
}

static void add_names(GChecksum *sum, const BerthInode *directory)
{
    for (const BerthName *name = berth_tree_first(directory); name != NULL;
         name = berth_tree_next(name)) {
        add_text(sum, name->text);
        add_number(sum, name->inode->number);
    }
}

static void add_xattrs(GChecksum *sum, const GArray *xattrs)
{
    for (guint i = 0; xattrs != NULL && i < xattrs->len; i++) {
        const BerthXattr *xattr = &g_array_index(xattrs, BerthXattr, i);
        gsize size;
        const void *value = g_bytes_get_data(xattr->value, &size);
        add_text(sum, xattr->name);
        add_number(sum, size);
        g_checksum_update(sum, value, (gssize)size);
    }
}

static void add_inode(GChecksum *sum, const BerthInode *inode)
{
    guint64 fields[] = {inode->number, inode->mode, inode->uid,          inode->gid,
                        inode->links,  inode->size, inode->extent_count, inode->nodump};
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        fields[i] = GUINT64_TO_LE(fields[i]);
    g_checksum_update(sum, (const guchar *)fields, sizeof(fields));
    for (guint i = 0; i < BERTH_TIMES; i++)
        add_number(sum, (guint64)inode->times[i]);

    if (S_ISDIR(inode->mode))
        add_names(sum, inode);
    else if (S_ISLNK(inode->mode))
        add_text(sum, inode->target);
    else
        add_number(sum, (guint64)inode->device.major << 32 | inode->device.minor);
    add_xattrs(sum, inode->xattrs);
}

void berth_ext4_digest(const BerthTree *tree, guint8 ret_digest[BERTH_EXT4_DIGEST_SIZE])
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (guint i = 0; i < tree->inodes->len; i++) {
        const BerthInode *inode = g_ptr_array_index(tree->inodes, i);
        if (inode->links > 0)
            add_inode(sum, inode);
    }
    gsize length = BERTH_EXT4_DIGEST_SIZE;
    g_checksum_get_digest(sum, ret_digest, &length);
}

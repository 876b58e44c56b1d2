/* SPDX-License-Identifier: MIT */
#include "ext4_read_xattr.h"

#include "base/le.h"
#include "ext4_map.h"

#include <string.h>

#define VALUE_LIMIT       65536U     /* the kernel's, XATTR_SIZE_MAX */
#define TOTAL_LIMIT       (1U << 20) /* of one file; the limit of an import */
#define ACL_VERSION       1U         /* ext4's own, not the kernel's 2 */
#define ACL_USER          0x02U
#define ACL_GROUP         0x08U
#define ACL_NO_ID         0xffffffffU
#define INDEX_ACL_ACCESS  2U
#define INDEX_ACL_DEFAULT 3U

/* Namespaces by e_name_index; NULL: archives do not carry it. */
static const char *const prefixes[] = {
    [1] = "user.",
    [4] = "trusted.",
    [6] = "security.",
};

/* A region of attribute entries: the space after an inode's fields, or a block. */
typedef struct {
    ext2_filsys fs;
    const guint8 *first; /* the first entry */
    const guint8 *base;  /* offsets of values are relative to this */
    const guint8 *end;
    BerthEntry *entry;
    guint *dropped;
    gsize *total;
} Region;

/* An entry is a tag and permissions; entries for a named user or group have an id as well. */
static errcode_t add_acl(BerthEntry *entry, bool is_default, const guint8 *value, gsize size)
{
    if (size < 4 || berth_le_get32(value) != ACL_VERSION)
        return EXT2_ET_EA_BAD_VALUE_OFFSET;
    g_autoptr(GArray) acl = g_array_new(false, false, sizeof(BerthAclEntry));
    for (gsize at = 4; at < size;) {
        gsize length = 4;
        if (size - at < length)
            return EXT2_ET_EA_BAD_VALUE_OFFSET;
        BerthAclEntry item = {
            .tag = berth_le_get16(value + at), .permissions = berth_le_get16(value + at + 2), .id = ACL_NO_ID};
        bool named = item.tag == ACL_USER || item.tag == ACL_GROUP;
        if (named) {
            length = 8;
            if (size - at < length)
                return EXT2_ET_EA_BAD_VALUE_OFFSET;
            item.id = berth_le_get32(value + at + 4);
        }
        if (item.tag == 0 || item.tag > 0x20 || (item.tag & (item.tag - 1)) != 0 ||
            item.permissions > 7)
            return EXT2_ET_EA_BAD_VALUE_OFFSET;
        g_array_append_val(acl, item);
        at += length;
    }
    if (acl->len > 0)
        berth_entry_add_acl(entry, is_default, acl);
    return 0;
}

static errcode_t add_value(const Region *region, const struct ext2_ext_attr_entry *attribute,
                           const guint8 *value, gsize size)
{
    guint index = attribute->e_name_index;
    if (index == INDEX_ACL_ACCESS || index == INDEX_ACL_DEFAULT)
        return add_acl(region->entry, index == INDEX_ACL_DEFAULT, value, size);
    const char *prefix = index < G_N_ELEMENTS(prefixes) ? prefixes[index] : NULL;
    if (prefix == NULL || attribute->e_name_len == 0) {
        ++*region->dropped;
        return 0;
    }
    const char *name = (const char *)(attribute + 1);
    if (memchr(name, '\0', attribute->e_name_len) != NULL)
        return EXT2_ET_EA_BAD_NAME_LEN;
    g_autofree char *full = g_strdup_printf("%s%.*s", prefix, (int)attribute->e_name_len, name);
    berth_entry_add_xattr(region->entry, full, value, size);
    return 0;
}

/* Add an attribute whose value is stored in an inode of its own. */
static errcode_t add_inode_value(const Region *region, const struct ext2_ext_attr_entry *attribute,
                                 guint32 size)
{
    guint32 number = GUINT32_FROM_LE(attribute->e_value_inum);
    struct ext2_inode inode;
    errcode_t code = ext2fs_read_inode(region->fs, number, &inode);
    if (code != 0)
        return code;
    if ((inode.i_flags & EXT4_EA_INODE_FL) == 0 || EXT2_I_SIZE(&inode) != size)
        return EXT2_ET_EA_INODE_CORRUPTED;

    g_autoptr(GArray) runs = NULL;
    code = berth_ext4_map(region->fs, number, &inode, size, &runs);
    if (code != 0)
        return code;
    g_autofree guint8 *value = g_malloc0(MAX(size, 1));
    code = berth_ext4_map_read(region->fs, runs, value, size);
    return code != 0 ? code : add_value(region, attribute, value, size);
}

static errcode_t read_entry(const Region *region, const struct ext2_ext_attr_entry *attribute)
{
    guint32 size = GUINT32_FROM_LE(attribute->e_value_size);
    *region->total += size + attribute->e_name_len;
    if (size > VALUE_LIMIT || *region->total > TOTAL_LIMIT)
        return EXT2_ET_EA_BAD_VALUE_SIZE;
    if (attribute->e_value_inum != 0)
        return add_inode_value(region, attribute, size);

    gsize room = (gsize)(region->end - region->base);
    gsize offset = GUINT16_FROM_LE(attribute->e_value_offs);
    if (size > 0 && (offset > room || size > room - offset))
        return EXT2_ET_EA_BAD_VALUE_OFFSET;
    return add_value(region, attribute, size > 0 ? region->base + offset : region->base, size);
}

/* The list ends with a zero word. */
static errcode_t read_region(const Region *region)
{
    for (const guint8 *at = region->first; region->end - at >= 4 && berth_le_get32(at) != 0;) {
        const struct ext2_ext_attr_entry *attribute = (const void *)at;
        gsize room = (gsize)(region->end - at);
        if (room < sizeof(*attribute) || room < EXT2_EXT_ATTR_LEN((gsize)attribute->e_name_len))
            return EXT2_ET_EA_BAD_NAME_LEN;
        errcode_t code = read_entry(region, attribute);
        if (code != 0)
            return code;
        at += EXT2_EXT_ATTR_LEN((gsize)attribute->e_name_len);
    }
    return 0;
}

static errcode_t read_in_inode(Region region, const struct ext2_inode_large *inode)
{
    gsize size = EXT2_INODE_SIZE(region.fs->super);
    if (size <= EXT2_GOOD_OLD_INODE_SIZE)
        return 0;
    gsize at = EXT2_GOOD_OLD_INODE_SIZE + (gsize)inode->i_extra_isize;
    if (at % 4 != 0 || at + 4 > size)
        return at == size ? 0 : EXT2_ET_INODE_CORRUPTED;

    const guint8 *bytes = (const guint8 *)inode;
    if (berth_le_get32(bytes + at) != EXT2_EXT_ATTR_MAGIC)
        return 0;
    region.first = region.base = bytes + at + 4;
    region.end = bytes + size;
    return read_region(&region);
}

static errcode_t read_block(Region region, guint32 number, const struct ext2_inode_large *inode)
{
    ext2_filsys fs = region.fs;
    guint64 block = ext2fs_file_acl_block(fs, (const struct ext2_inode *)inode);
    if (block == 0)
        return 0;
    if (block <= fs->super->s_first_data_block || block >= ext2fs_blocks_count(fs->super))
        return EXT2_ET_BAD_EA_BLOCK_NUM;

    g_autofree guint8 *bytes = g_malloc(fs->blocksize);
    errcode_t code = berth_ext4_io_read(fs, block * fs->blocksize, bytes, fs->blocksize);
    if (code != 0)
        return code;
    struct ext2_ext_attr_header *header = (void *)bytes;
    if (GUINT32_FROM_LE(header->h_magic) != EXT2_EXT_ATTR_MAGIC ||
        GUINT32_FROM_LE(header->h_blocks) != 1)
        return EXT2_ET_BAD_EA_HEADER;
    if (!ext2fs_ext_attr_block_csum_verify(fs, number, block, header))
        return EXT2_ET_EXT_ATTR_CSUM_INVALID;

    region.first = bytes + sizeof(*header);
    region.base = bytes;
    region.end = bytes + fs->blocksize;
    return read_region(&region);
}

errcode_t berth_ext4_read_xattr(ext2_filsys fs, guint32 number,
                                const struct ext2_inode_large *inode, BerthEntry *entry,
                                guint *dropped)
{
    gsize total = 0;
    const Region region = {.fs = fs, .entry = entry, .dropped = dropped, .total = &total};
    errcode_t code = read_in_inode(region, inode);
    return code != 0 ? code : read_block(region, number, inode);
}

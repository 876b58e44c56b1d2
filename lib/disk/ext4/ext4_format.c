/* SPDX-License-Identifier: MIT */
#include "ext4_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#define BLOCK_SIZE     4096U
#define JOURNAL_BLOCKS 16384U
#define DATE           1 /* 1 s after 1970: in no clock's future, and not 0 ("unset") */

#define JOURNAL_UUID_AT 48U /* offset in the journal's superblock */

static void set_features(struct ext2_super_block *super)
{
    ext2fs_set_feature_xattr(super);
    ext2fs_set_feature_resize_inode(super);
    ext2fs_set_feature_dir_index(super);

    ext2fs_set_feature_filetype(super);
    ext2fs_set_feature_extents(super);
    ext2fs_set_feature_64bit(super);
    ext2fs_set_feature_flex_bg(super);

    ext2fs_set_feature_sparse_super(super);
    ext2fs_set_feature_large_file(super);
    ext2fs_set_feature_huge_file(super);
    ext2fs_set_feature_dir_nlink(super);
    ext2fs_set_feature_extra_isize(super);
    ext2fs_set_feature_metadata_csum(super);
}

static errcode_t initialize(int fd, guint64 size, guint32 inodes, ext2_filsys *ret_fs)
{
    struct ext2_super_block param = {
        .s_rev_level = EXT2_DYNAMIC_REV,
        .s_log_block_size = 2,
        .s_log_cluster_size = 2,
        .s_inode_size = 256,
        .s_log_groups_per_flex = 4,
        .s_errors = EXT2_ERRORS_RO,
        .s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL,
        .s_inodes_count = inodes,
    };
    ext2fs_blocks_count_set(&param, size / BLOCK_SIZE);
    set_features(&param);

    /* This I/O manager parses the name as a descriptor number, and closes it even on failure. */
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return errno;
    g_autofree char *name = g_strdup_printf("%d", own);
    return ext2fs_initialize(name, EXT2_FLAG_64BITS, &param, unixfd_io_manager, ret_fs);
}

/* Mark the inode tables as zeroed, as the holes of a sparse file are, so that the guest does not
 * write 16 GiB of zeros in the background. */
static void mark_inode_tables(ext2_filsys fs)
{
    for (dgrp_t i = 0; i < fs->group_desc_count; i++) {
        ext2fs_bg_flags_set(fs, i, EXT2_BG_INODE_ZEROED);
        ext2fs_group_desc_csum_set(fs, i);
    }
}

static errcode_t fill(ext2_filsys fs)
{
    struct ext2_super_block *super = fs->super;
    fs->now = super->s_mkfs_time = super->s_lastcheck = DATE;
    super->s_checksum_type = EXT2_CRC32C_CHKSUM;
    ext2fs_init_csum_seed(fs);
    super->s_def_hash_version = EXT2_HASH_HALF_MD4;
    super->s_flags |= EXT2_FLAGS_SIGNED_HASH; /* fixed: char differs by machine */
    super->s_max_mnt_count = -1;

    errcode_t code = ext2fs_allocate_tables(fs);
    if (code != 0)
        return code;
    mark_inode_tables(fs);

    for (ext2_ino_t i = EXT2_BAD_INO; i < EXT2_FIRST_INODE(super); i++)
        ext2fs_inode_alloc_stats2(fs, i, +1, i == EXT2_ROOT_INO);
    code = ext2fs_create_resize_inode(fs);
    if (code != 0)
        return code;

    struct ext2fs_journal_params journal = {
        .num_journal_blocks =
            MIN(JOURNAL_BLOCKS, (blk_t)ext2fs_default_journal_size(ext2fs_blocks_count(super))),
    };
    return ext2fs_add_journal_inode3(fs, &journal, ~0ULL,
                                     EXT2_MKJOURNAL_LAZYINIT | EXT2_MKJOURNAL_NO_MNT_CHECK);
}

errcode_t berth_ext4_format(int fd, guint64 size, guint32 inodes, ext2_filsys *ret_fs)
{
    errcode_t code = initialize(fd, size, inodes, ret_fs);
    return code != 0 ? code : fill(*ret_fs);
}

static errcode_t read_inode(ext2_filsys fs, guint32 number, BerthRawInode *ret_raw)
{
    return ext2fs_read_inode_full(fs, number, (struct ext2_inode *)&ret_raw->fields,
                                  sizeof(*ret_raw));
}

static errcode_t identify_journal(ext2_filsys fs, guint64 block)
{
    g_autofree guint8 *data = g_malloc(BLOCK_SIZE);
    errcode_t code = io_channel_read_blk64(fs->io, block, 1, data);
    if (code != 0)
        return code;
    memcpy(data + JOURNAL_UUID_AT, fs->super->s_uuid, sizeof(fs->super->s_uuid));
    return io_channel_write_blk64(fs->io, block, 1, data);
}

errcode_t berth_ext4_format_identify(ext2_filsys fs, const guint8 digest[BERTH_EXT4_DIGEST_SIZE],
                                     BerthRawInode *ret_resize, BerthRawInode *ret_journal)
{
    errcode_t code = read_inode(fs, EXT2_RESIZE_INO, ret_resize);
    if (code == 0)
        code = read_inode(fs, EXT2_JOURNAL_INO, ret_journal);
    blk64_t journal = 0;
    if (code == 0)
        code = ext2fs_bmap2(fs, EXT2_JOURNAL_INO, (struct ext2_inode *)&ret_journal->fields, NULL,
                            0, 0, NULL, &journal);
    if (code != 0)
        return code;

    struct ext2_super_block *super = fs->super;
    memcpy(super->s_uuid, digest, sizeof(super->s_uuid));
    super->s_uuid[6] = (super->s_uuid[6] & 0x0f) | 0x80; /* version 8: custom */
    super->s_uuid[8] = (super->s_uuid[8] & 0x3f) | 0x80;
    memcpy(super->s_hash_seed, digest + sizeof(super->s_uuid), sizeof(super->s_hash_seed));
    ext2fs_init_csum_seed(fs);
    for (dgrp_t i = 0; i < fs->group_desc_count; i++)
        ext2fs_group_desc_csum_set(fs, i);
    return identify_journal(fs, journal);
}

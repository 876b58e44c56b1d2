/* SPDX-License-Identifier: MIT */
#include "ext4_inode.h"

#include "dirblock.h"

#include <string.h>
#include <sys/stat.h>

#define SUBDIRECTORIES_MAX 64998U /* with more, the link count is 1: unknown */

static guint16 link_count(const BerthInode *inode)
{
    if (!S_ISDIR(inode->mode))
        return (guint16)inode->links;
    guint32 count = inode->directory->subdirectories;
    return count > SUBDIRECTORIES_MAX ? 1 : (guint16)(count + 2);
}

/* The first word holds 32 bits of signed seconds; the second two more bits and the nanoseconds. */
static void put_time(const BerthInode *inode, guint which, __u32 *ret_seconds, __u32 *ret_extra)
{
    BerthTime time = berth_inode_time(inode, which);
    gint32 low = (gint32)(guint32)(guint64)time.sec;
    guint32 epoch = (guint32)((time.sec - low) >> 32) & 3;
    *ret_seconds = (__u32)low;
    *ret_extra = time.nsec << 2 | epoch;
}

/* Encode as the kernel does: 8:8 bits in the first word if they suffice, else 12:20 in the
 * second. */
static void put_device(struct ext2_inode_large *raw, guint32 major, guint32 minor)
{
    if (major < 256 && minor < 256)
        raw->i_block[0] = major << 8 | minor;
    else
        raw->i_block[1] = (minor & 0xff) | major << 8 | (minor & ~0xffU) << 12;
}

bool berth_ext4_inode_has_extents(const BerthInode *inode)
{
    return S_ISREG(inode->mode) || S_ISDIR(inode->mode) ||
           (S_ISLNK(inode->mode) && inode->size > BERTH_EXT4_FAST_SYMLINK_MAX);
}

void berth_ext4_inode_fill(const BerthInode *inode, BerthRawInode *ret_raw)
{
    memset(ret_raw, 0, sizeof(*ret_raw));
    struct ext2_inode_large *raw = &ret_raw->fields;
    raw->i_mode = inode->mode;
    raw->i_uid = (guint16)inode->uid;
    raw->i_uid_high = (guint16)(inode->uid >> 16);
    raw->i_gid = (guint16)inode->gid;
    raw->i_gid_high = (guint16)(inode->gid >> 16);
    raw->i_links_count = link_count(inode);
    raw->i_extra_isize = sizeof(*raw) - EXT2_GOOD_OLD_INODE_SIZE;
    raw->i_size = (guint32)inode->size;
    raw->i_size_high = (guint32)(inode->size >> 32);
    put_time(inode, BERTH_TIME_MODIFIED, &raw->i_mtime, &raw->i_mtime_extra);
    put_time(inode, BERTH_TIME_ACCESSED, &raw->i_atime, &raw->i_atime_extra);
    put_time(inode, BERTH_TIME_CHANGED, &raw->i_ctime, &raw->i_ctime_extra);
    put_time(inode, BERTH_TIME_BORN, &raw->i_crtime, &raw->i_crtime_extra);

    if (inode->nodump)
        raw->i_flags |= EXT2_NODUMP_FL;
    if (S_ISDIR(inode->mode) && inode->size > BERTH_BLOCK_SIZE)
        raw->i_flags |= EXT2_INDEX_FL;
    if (berth_ext4_inode_has_extents(inode))
        raw->i_flags |= EXT4_EXTENTS_FL;
    else if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
        put_device(raw, inode->device.major, inode->device.minor);
    else if (S_ISLNK(inode->mode))
        memcpy(raw->i_block, inode->target, inode->size);
}

/* SPDX-License-Identifier: MIT */
#include "ext4_space.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/file/ext4_state.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#define JOURNAL_MAGIC 0xc03b3998u
/* Bytes between two calls of the progress function. */
#define PUNCH_MAX (G_GUINT64_CONSTANT(1) << 30)

static void close_fs(ext2_filsys fs)
{
    ext2fs_free(fs); /* changes are discarded */
}
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(ext2_filsys, close_fs, NULL)

static bool set_ext2fs(GError **error, const char *what, errcode_t code)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "compact.damaged",
                    "start the distro once, so that its disk is checked", "%s: %s", what,
                    error_message(code));
    return false;
}

/* Find the first run of free blocks at or after @from. False if there is none. */
static bool next_free(ext2_filsys fs, blk64_t from, blk64_t *ret_first, blk64_t *ret_count)
{
    blk64_t last = ext2fs_blocks_count(fs->super) - 1;
    blk64_t used;
    if (from > last ||
        ext2fs_find_first_zero_block_bitmap2(fs->block_map, from, last, ret_first) != 0)
        return false;
    if (ext2fs_find_first_set_block_bitmap2(fs->block_map, *ret_first, last, &used) != 0)
        used = last + 1;
    *ret_count = used - *ret_first;
    return true;
}

/* Punching is irreversible, so trust the bitmaps only when the group descriptors are valid and the
 * free blocks match the superblock's count. */
static errcode_t verify(ext2_filsys fs)
{
    for (dgrp_t group = 0; group < fs->group_desc_count; group++)
        if (!ext2fs_group_desc_csum_verify(fs, group))
            return EXT2_ET_CORRUPT_SUPERBLOCK;
    errcode_t code = ext2fs_check_desc(fs);
    if (code == 0)
        code = ext2fs_read_block_bitmap(fs);

    blk64_t first, count;
    blk64_t free_blocks = 0;
    for (blk64_t from = fs->super->s_first_data_block;
         code == 0 && next_free(fs, from, &first, &count); from = first + count)
        free_blocks += count;
    if (code == 0 && free_blocks != ext2fs_free_blocks_count(fs->super))
        code = EXT2_ET_CORRUPT_SUPERBLOCK;
    return code;
}

/* The handle closes its descriptor, so pass a duplicate. */
static ext2_filsys open_fs(int fd, const char *what, GError **error)
{
    berth_autofd int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    g_autofree char *number = g_strdup_printf("%d", own);
    g_auto(ext2_filsys) fs = NULL;
    errcode_t code = ext2fs_open(number, EXT2_FLAG_64BITS, 0, 0, unixfd_io_manager, &fs);
    if (code == 0)
        berth_fd_steal(&own);
    if (code == 0)
        code = verify(fs);
    if (code == 0)
        return g_steal_pointer(&fs);
    set_ext2fs(error, what, code);
    return NULL;
}

static bool check_clean(int fd, const char *what, GError **error)
{
    BerthExt4State state;
    if (!berth_ext4_state_read(fd, what, &state, error))
        return false;
    if (!state.needs_recovery && !state.has_errors)
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "compact.unclean",
                    "start the distro and terminate it once, then try again",
                    "%s: the file system was not shut down cleanly", what);
    return false;
}

typedef struct {
    ext2_filsys fs;
    int fd;
    BerthProgressFunc progress;
    gpointer user_data;
    blk64_t first, count; /* a run of the journal's blocks */
    int errnum;
} Puncher;

/* Punch one run. 0 or an errno. */
static int punch(const Puncher *puncher, blk64_t first, blk64_t count)
{
    guint64 block_size = puncher->fs->blocksize;
    guint64 offset = first * block_size;
    guint64 end = offset + count * block_size;
    while (offset < end) {
        guint64 size = MIN(end - offset, PUNCH_MAX);
        const BerthProgress done = {.bytes_done = offset,
                                    .bytes_total =
                                        ext2fs_blocks_count(puncher->fs->super) * block_size};
        if (puncher->progress != NULL && !puncher->progress(&done, puncher->user_data))
            return ECANCELED;
        int result = fallocate(puncher->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               (off_t)offset, (off_t)size);
        if (result < 0 && errno != EINTR)
            return errno;
        offset += result == 0 ? size : 0;
    }
    return 0;
}

/* Punch every run of free blocks. 0 or an errno. */
static int punch_runs(const Puncher *puncher)
{
    int errnum = 0;
    blk64_t first, count;
    for (blk64_t from = puncher->fs->super->s_first_data_block;
         errnum == 0 && next_free(puncher->fs, from, &first, &count); from = first + count)
        errnum = punch(puncher, first, count);
    return errnum;
}

/* Add the next block of the journal to the run. Skips the first, its superblock. */
static int on_journal_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t index, blk64_t parent,
                            int offset, void *user_data)
{
    Puncher *puncher = user_data;
    if (index <= 0)
        return 0;
    if (*block == puncher->first + puncher->count) {
        puncher->count++;
        return 0;
    }
    puncher->errnum = punch(puncher, puncher->first, puncher->count);
    puncher->first = *block;
    puncher->count = 1;
    return puncher->errnum != 0 ? BLOCK_ABORT : 0;
}

/* Whether the log in the inode's file is empty, so that only its superblock is in use. Source: the
 * kernel's documentation of jbd2's superblock: big-endian; the first word is the magic number, the
 * eighth the start of the log, 0 if empty. */
static bool is_log_empty(const Puncher *puncher, ext2_ino_t inode)
{
    blk64_t block = 0;
    guint32 super[8];
    return ext2fs_bmap2(puncher->fs, inode, NULL, NULL, 0, 0, NULL, &block) == 0 && block != 0 &&
           pread(puncher->fd, &super, sizeof(super), (off_t)(block * puncher->fs->blocksize)) ==
               sizeof(super) &&
           GUINT32_FROM_BE(super[0]) == JOURNAL_MAGIC && super[7] == 0;
}

/* Punch the journal if it is empty; skip an unreadable one. 0 or an errno. */
static int punch_journal(Puncher *puncher)
{
    ext2_ino_t inode = puncher->fs->super->s_journal_inum;
    if (inode == 0 || !is_log_empty(puncher, inode))
        return 0;
    if (ext2fs_block_iterate3(puncher->fs, inode, BLOCK_FLAG_DATA_ONLY | BLOCK_FLAG_READ_ONLY, NULL,
                              on_journal_block, puncher) != 0)
        return puncher->errnum;
    return puncher->errnum != 0 ? puncher->errnum : punch(puncher, puncher->first, puncher->count);
}

bool berth_ext4_space_punch(int fd, const char *what, BerthProgressFunc progress,
                            gpointer user_data, GError **error)
{
    g_auto(ext2_filsys) fs = check_clean(fd, what, error) ? open_fs(fd, what, error) : NULL;
    if (fs == NULL)
        return false;
    Puncher puncher = {.fs = fs, .fd = fd, .progress = progress, .user_data = user_data};
    int errnum = punch_runs(&puncher);
    if (errnum == 0)
        errnum = punch_journal(&puncher);
    if (errnum == 0 && fdatasync(fd) < 0)
        errnum = errno;
    if (errnum == ECANCELED)
        berth_error_set(error, BERTH_ERROR_CANCELLED, "compact.cancelled", NULL, "cancelled");
    else if (errnum != 0)
        berth_error_set_errno(error, errnum, "compact", "%s", what);
    return errnum == 0;
}

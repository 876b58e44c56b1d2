/* SPDX-License-Identifier: MIT */
#include "ext4_state.h"

#include "base/error.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <string.h>
#include <unistd.h>

bool berth_ext4_state_read(int fd, const char *what, BerthExt4State *ret_state, GError **error)
{
    struct ext2_super_block super;
    ssize_t size = pread(fd, &super, sizeof(super), SUPERBLOCK_OFFSET);
    if (size < 0) {
        berth_error_set_errno(error, errno, "disk.read", "%s", what);
        return false;
    }
    guint log_size = GUINT32_FROM_LE(super.s_log_block_size);
    if (size != sizeof(super) || GUINT16_FROM_LE(super.s_magic) != EXT2_SUPER_MAGIC ||
        log_size > EXT2_MAX_BLOCK_LOG_SIZE - EXT2_MIN_BLOCK_LOG_SIZE) {
        berth_error_set(error, BERTH_ERROR_INVALID, "disk.not-ext4", NULL, "%s: not an ext4 image",
                        what);
        return false;
    }
    guint32 features = GUINT32_FROM_LE(super.s_feature_incompat);
    guint64 blocks = GUINT32_FROM_LE(super.s_blocks_count);
    if ((features & EXT4_FEATURE_INCOMPAT_64BIT) != 0)
        blocks |= (guint64)GUINT32_FROM_LE(super.s_blocks_count_hi) << 32;
    ret_state->block_size = 1u << (EXT2_MIN_BLOCK_LOG_SIZE + log_size);
    ret_state->size = blocks * ret_state->block_size;
    ret_state->needs_recovery = (features & EXT3_FEATURE_INCOMPAT_RECOVER) != 0;
    ret_state->has_errors = (GUINT16_FROM_LE(super.s_state) & EXT2_ERROR_FS) != 0;
    memcpy(ret_state->uuid, super.s_uuid, sizeof(ret_state->uuid));
    return true;
}

/* SPDX-License-Identifier: MIT */
#include "ext4.h"

#include "dirblock.h"
#include "ext4_format.h"
#include "ext4_private.h"

#include "base/error.h"
#include "base/size.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

#define FIRST_INODE    12U
#define GROUP_BLOCKS   32768U
#define LAST_GROUP_MIN 4096U

#define EXTENTS_SOFT_MAX  32768U /* of a file, before its short holes are filled with zeros */
#define SHORT_HOLE_BLOCKS 256U

/* --- errors --- */

static bool fail_full(const BerthExt4 *ext4, GError **error)
{
    guint64 size = ext2fs_blocks_count(ext4->fs->super) * BERTH_BLOCK_SIZE;
    g_autofree char *total = berth_size_format(size);
    g_autofree char *used = berth_size_format(size - berth_ext4_free_space(ext4));
    berth_error_set(error, BERTH_ERROR_NO_SPACE, "import.unpack.image-full",
                    "choose a larger size for the image", "%s: the image is full: %s of %s used",
                    ext4->label, used, total);
    return false;
}

/* @code is an errno or one of libext2fs's own codes. */
bool berth_ext4_fail(const BerthExt4 *ext4, errcode_t code, GError **error)
{
    if (code == EXT2_ET_SHORT_WRITE)
        code = ENOSPC;
    if (code > 0 && code < 256)
        berth_error_set_errno(error, (int)code, "import.unpack", "%s", ext4->label);
    else if (code == EXT2_ET_BLOCK_ALLOC_FAIL)
        return fail_full(ext4, error);
    else
        berth_error_set(error, BERTH_ERROR_FAILED, "import.unpack.ext4", NULL, "%s: %s",
                        ext4->label, error_message(code));
    return false;
}

/* --- opening and closing --- */

static bool check_size(guint64 size, GError **error)
{
    if (size >= BERTH_EXT4_SIZE_MIN)
        return true;
    g_autofree char *least = berth_size_format(BERTH_EXT4_SIZE_MIN);
    g_autofree char *given = berth_size_format(size);
    berth_error_set(error, BERTH_ERROR_INVALID, "import.create.too-small", NULL,
                    "an image of %s is too small: the minimum is %s", given, least);
    return false;
}

/* Default: an inode for each 16 KiB; 4 KiB in a small image, which is more likely to be filled
 * completely. More than one per block would be useless. */
static bool choose_inodes(const BerthExt4Options *options, guint32 *ret_inodes, GError **error)
{
    guint64 blocks = options->size / BERTH_BLOCK_SIZE;
    guint64 rest = blocks % GROUP_BLOCKS; /* a last group that is too small is dropped */
    guint64 most = blocks >= GROUP_BLOCKS && rest < LAST_GROUP_MIN ? blocks - rest : blocks;
    most = MIN(most, G_MAXUINT32 - GROUP_BLOCKS);
    bool small = options->size < (G_GUINT64_CONSTANT(16) << 30);
    guint64 inodes = options->inodes != 0 ? options->inodes : small ? most : blocks / 4;
    if (inodes >= FIRST_INODE && inodes <= most) {
        *ret_inodes = (guint32)inodes;
        return true;
    }
    g_autofree char *size = berth_size_format(options->size);
    berth_error_set(error, BERTH_ERROR_INVALID, "import.create.bad-inodes", NULL,
                    "%" G_GUINT64_FORMAT " inodes are not in %u..%" G_GUINT64_FORMAT
                    ", the range for an image of %s",
                    inodes, FIRST_INODE, most, size);
    return false;
}

BerthExt4 *berth_ext4_new(int fd, const BerthExt4Options *options, GError **error)
{
    guint32 inodes = 0;
    if (!check_size(options->size, error) || !choose_inodes(options, &inodes, error))
        return NULL;

    initialize_ext2_error_table();
    g_autoptr(BerthExt4) ext4 = g_new0(BerthExt4, 1);
    ext4->fd = fd;
    ext4->label = g_strdup("make the file system");
    ext4->inodes_given = options->inodes != 0;
    ext4->extents = g_array_new(false, false, sizeof(BerthExtent));
    ext4->partial = g_malloc(BERTH_BLOCK_SIZE);
    ext4->sharings = g_hash_table_new_full(NULL, NULL, NULL, g_free);

    errcode_t code = berth_ext4_format(fd, options->size, inodes, &ext4->fs);
    if (code != 0)
        return berth_ext4_fail(ext4, code, error), NULL;
    ext4->blocks = berth_blocks_new(ext4->fs, fd);
    ext4->table = berth_ext4_table_new(ext4->fs);
    return g_steal_pointer(&ext4);
}

void berth_ext4_free(BerthExt4 *ext4)
{
    if (ext4 == NULL)
        return;
    berth_ext4_table_free(ext4->table);
    berth_blocks_free(ext4->blocks);
    if (ext4->fs != NULL)
        ext2fs_free(ext4->fs);
    g_free(ext4->label);
    g_array_unref(ext4->extents);
    g_free(ext4->partial);
    g_hash_table_unref(ext4->sharings);
    g_free(ext4);
}

guint32 berth_ext4_files_max(const BerthExt4 *ext4)
{
    guint32 room = ext4->fs->super->s_inodes_count - BERTH_EXT4_RESERVED_FILES;
    return ext4->inodes_given ? room : MIN(room, BERTH_TREE_FILES_MAX);
}

guint64 berth_ext4_free_space(const BerthExt4 *ext4)
{
    return berth_blocks_available(ext4->blocks) * BERTH_BLOCK_SIZE;
}

/* --- data --- */

static bool is_zero(const guint8 *data)
{
    return data[0] == 0 && memcmp(data, data + 1, BERTH_BLOCK_SIZE - 1) == 0;
}

static void extend(BerthExt4 *ext4, guint32 logical, guint64 physical)
{
    BerthInode *file = ext4->file;
    if (file->extent_count > 0) {
        BerthExtent *last = &g_array_index(ext4->extents, BerthExtent, ext4->extents->len - 1);
        if (last->logical + last->count == logical && last->physical + last->count == physical &&
            last->count < BERTH_EXTENT_BLOCKS_MAX) {
            last->count++;
            return;
        }
    }
    BerthExtent extent = {.physical = physical, .logical = logical, .count = 1};
    g_array_append_val(ext4->extents, extent);
    file->extent_count++;
}

/* Append a block; @data NULL: zeros. */
static bool append_block(BerthExt4 *ext4, guint64 logical, const guint8 *data, GError **error)
{
    guint8 *place = NULL;
    guint64 physical = 0;
    errcode_t code = berth_blocks_allocate(ext4->blocks, &place, &physical);
    if (code != 0)
        return berth_ext4_fail(ext4, code, error);
    if (data != NULL)
        memcpy(place, data, BERTH_BLOCK_SIZE);
    else
        memset(place, 0, BERTH_BLOCK_SIZE);
    extend(ext4, (guint32)logical, physical);
    return true;
}

/* If the file has very many extents, write the short hole before @logical as zeros. */
static bool fill_hole(BerthExt4 *ext4, guint64 logical, GError **error)
{
    if (ext4->file->extent_count < EXTENTS_SOFT_MAX)
        return true;
    const BerthExtent *last = &g_array_index(ext4->extents, BerthExtent, ext4->extents->len - 1);
    guint64 next = (guint64)last->logical + last->count;
    if (logical - next > SHORT_HOLE_BLOCKS)
        return true;
    for (; next < logical; next++) {
        if (!append_block(ext4, next, NULL, error))
            return false;
    }
    return true;
}

static bool put_block(BerthExt4 *ext4, guint64 logical, const guint8 *data, GError **error)
{
    return is_zero(data) ||
           (fill_hole(ext4, logical, error) && append_block(ext4, logical, data, error));
}

static bool flush_partial(BerthExt4 *ext4, GError **error)
{
    if (ext4->partial_size == 0)
        return true;
    ext4->partial_size = 0;
    return put_block(ext4, ext4->partial_block, ext4->partial, error);
}

void berth_ext4_release_extents(BerthExt4 *ext4, BerthInode *inode)
{
    for (guint i = 0; i < inode->extent_count; i++) {
        const BerthExtent *extent =
            &g_array_index(ext4->extents, BerthExtent, inode->extent_first + i);
        berth_blocks_release(ext4->blocks, extent->physical, extent->count);
    }
    inode->extent_count = 0;
}

void berth_ext4_begin_data(BerthExt4 *ext4, BerthInode *inode)
{
    berth_ext4_release_extents(ext4, inode);
    inode->extent_first = ext4->extents->len;
    ext4->file = inode;
    ext4->next_offset = 0;
}

bool berth_ext4_begin_file(BerthExt4 *ext4, BerthInode *file, const char *path, guint64 size,
                           bool sparse, GError **error)
{
    g_autofree char *shown = berth_text_escape(path);
    g_free(ext4->label);
    ext4->label = g_strdup_printf("unpack %s", shown);

    guint64 left = berth_ext4_free_space(ext4);
    if (!sparse && size > left) {
        g_autofree char *needed = berth_size_format(size);
        g_autofree char *free_size = berth_size_format(left);
        berth_error_set(error, BERTH_ERROR_NO_SPACE, "import.unpack.image-full",
                        "choose a larger size for the image",
                        "%s: the file has %s, the image only %s left", ext4->label, needed,
                        free_size);
        return false;
    }
    berth_ext4_begin_data(ext4, file);
    file->size = size;
    return true;
}

/* Add bytes of a partial block. */
static void put_part(BerthExt4 *ext4, guint64 block, guint start, const guint8 *data, guint length)
{
    if (ext4->partial_size == 0)
        memset(ext4->partial, 0, BERTH_BLOCK_SIZE);
    memcpy(ext4->partial + start, data, length);
    ext4->partial_block = block;
    ext4->partial_size = start + length;
}

bool berth_ext4_write(BerthExt4 *ext4, guint64 offset, const void *data, gsize size, GError **error)
{
    if (offset < ext4->next_offset || offset > ext4->file->size ||
        size > ext4->file->size - offset) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.read.damaged", NULL,
                        "%s: the archive's map of the file's holes is damaged", ext4->label);
        return false;
    }
    ext4->next_offset = offset + size;

    for (const guint8 *next = data; size > 0;) {
        guint64 block = offset / BERTH_BLOCK_SIZE;
        guint start = (guint)(offset % BERTH_BLOCK_SIZE);
        guint length = (guint)MIN(size, BERTH_BLOCK_SIZE - start);
        if (ext4->partial_size > 0 && ext4->partial_block != block && !flush_partial(ext4, error))
            return false;
        if (length < BERTH_BLOCK_SIZE)
            put_part(ext4, block, start, next, length);
        else if (!put_block(ext4, block, next, error))
            return false;
        next += length;
        offset += length;
        size -= length;
    }
    return true;
}

bool berth_ext4_end_file(BerthExt4 *ext4, GError **error)
{
    bool written = flush_partial(ext4, error);
    ext4->file = NULL;
    return written;
}

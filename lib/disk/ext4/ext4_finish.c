/* SPDX-License-Identifier: MIT */
#include "dirblock.h"
#include "ext4_digest.h"
#include "ext4_format.h"
#include "ext4_inode.h"
#include "ext4_private.h"
#include "ext4_xattr.h"

#include "base/error.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOST_AND_FOUND_INODE 11U
#define FIRST_INODE          12U
#define ACCOUNTS_SIZE_MAX    (G_GUINT64_CONSTANT(4) << 20)

/* An attribute block shared by the inodes with an equal set. */
typedef struct {
    guint32 inodes; /* inodes without a block yet */
    guint32 shares; /* further inodes that may share the block */
    guint64 block;
} Sharing;

/* --- ACLs with names instead of ids --- */

static bool read_extent(const BerthExt4 *ext4, const BerthExtent *extent, GByteArray *content)
{
    gsize offset = (gsize)extent->logical * BERTH_BLOCK_SIZE;
    if (offset >= content->len)
        return true;
    gsize size = MIN((gsize)extent->count * BERTH_BLOCK_SIZE, content->len - offset);
    off_t from = (off_t)(extent->physical * BERTH_BLOCK_SIZE);
    return pread(ext4->fd, content->data + offset, size, from) == (ssize_t)size;
}

/* Read the file @path of the tree; NULL when missing or too large. */
static GBytes *read_accounts(const BerthExt4 *ext4, const char *path)
{
    const BerthInode *file = berth_tree_find(ext4->tree, path);
    if (file == NULL || !S_ISREG(file->mode) || file->size > ACCOUNTS_SIZE_MAX)
        return NULL;
    g_autoptr(GByteArray) content = g_byte_array_new();
    g_byte_array_set_size(content, (guint)file->size);
    memset(content->data, 0, content->len);
    for (guint i = 0; i < file->extent_count; i++) {
        if (!read_extent(ext4, &g_array_index(ext4->extents, BerthExtent, file->extent_first + i),
                         content))
            return NULL;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&content));
}

static bool resolve_acl_names(BerthExt4 *ext4, GError **error)
{
    if (!berth_tree_has_acl_names(ext4->tree))
        return true;
    errcode_t code = berth_blocks_flush(ext4->blocks);
    if (code != 0)
        return berth_ext4_fail(ext4, code, error);
    g_autoptr(GBytes) passwd = read_accounts(ext4, "etc/passwd");
    g_autoptr(GBytes) group = read_accounts(ext4, "etc/group");
    berth_tree_resolve_acl_names(ext4->tree, passwd, group);
    return true;
}

/* --- directories and symbolic links --- */

static bool write_symlink(BerthExt4 *ext4, BerthInode *inode, GError **error)
{
    inode->size = strlen(inode->target);
    if (inode->size <= BERTH_EXT4_FAST_SYMLINK_MAX)
        return true;
    berth_ext4_begin_data(ext4, inode);
    return berth_ext4_write(ext4, 0, inode->target, inode->size, error) &&
           berth_ext4_end_file(ext4, error);
}

static guint8 dirent_type(guint16 mode)
{
    static const guint8 types[16] = {
        [S_IFREG >> 12] = BERTH_DIRENT_FILE,        [S_IFDIR >> 12] = BERTH_DIRENT_DIRECTORY,
        [S_IFCHR >> 12] = BERTH_DIRENT_CHAR_DEVICE, [S_IFBLK >> 12] = BERTH_DIRENT_BLOCK_DEVICE,
        [S_IFIFO >> 12] = BERTH_DIRENT_FIFO,        [S_IFSOCK >> 12] = BERTH_DIRENT_SOCKET,
        [S_IFLNK >> 12] = BERTH_DIRENT_SYMLINK,
    };
    return types[mode >> 12];
}

static GArray *list_directory(const BerthExt4 *ext4, const BerthInode *directory)
{
    const struct ext2_super_block *super = ext4->fs->super;
    GArray *entries = g_array_new(false, false, sizeof(BerthDirent));
    for (const BerthName *name = berth_tree_first(directory); name != NULL;
         name = berth_tree_next(name)) {
        ext2_dirhash_t hash = 0;
        ext2_dirhash_t minor_hash = 0;
        ext2fs_dirhash2(super->s_def_hash_version, name->text, name->length, NULL, 0,
                        super->s_hash_seed, &hash, &minor_hash);
        BerthDirent entry = {.name = name->text,
                             .inode = name->inode->number,
                             .type = dirent_type(name->inode->mode),
                             .hash = hash,
                             .minor_hash = minor_hash};
        g_array_append_val(entries, entry);
    }
    return entries;
}

static bool write_directory(BerthExt4 *ext4, BerthInode *inode, GError **error)
{
    g_autoptr(GArray) entries = list_directory(ext4, inode);
    bool indexed = false;
    g_autoptr(GByteArray) blocks =
        berth_dirblock_encode(inode->number, inode->directory->parent->number, entries, &indexed);
    if (blocks == NULL)
        return berth_ext4_fail(ext4, EXT2_ET_DIR_NO_SPACE_FOR_CSUM, error);

    berth_ext4_begin_data(ext4, inode);
    inode->size = blocks->len;
    for (guint at = 0; at < blocks->len; at += BERTH_BLOCK_SIZE) {
        struct ext2_dir_entry *block = (void *)(blocks->data + at);
        errcode_t code = ext2fs_dir_block_csum_set(ext4->fs, inode->number, block);
        if (code != 0)
            return berth_ext4_fail(ext4, code, error);
    }
    return berth_ext4_write(ext4, 0, blocks->data, blocks->len, error) &&
           berth_ext4_end_file(ext4, error);
}

/* --- inodes --- */

/* Point @raw to the shared block of its attribute set; write a new block when that has no share
 * left. */
static errcode_t share_block(BerthExt4 *ext4, const BerthInode *inode, guint8 *block,
                             struct ext2_inode_large *raw)
{
    Sharing *sharing = g_hash_table_lookup(ext4->sharings, inode->xattrs);
    if (sharing->shares == 0) {
        guint8 *place = NULL;
        errcode_t code = berth_blocks_allocate(ext4->blocks, &place, &sharing->block);
        if (code != 0)
            return code;
        sharing->shares = MIN(sharing->inodes, BERTH_XATTR_SHARES_MAX);
        berth_ext4_xattr_seal(ext4->fs, block, sharing->block, sharing->shares);
        memcpy(place, block, BERTH_BLOCK_SIZE);
    }
    sharing->inodes--;
    sharing->shares--;
    ext2fs_file_acl_block_set(ext4->fs, (struct ext2_inode *)raw, sharing->block);
    return 0;
}

static bool put_xattrs(BerthExt4 *ext4, const BerthInode *inode, BerthRawInode *raw,
                       guint64 *blocks, GError **error)
{
    if (inode->xattrs == NULL)
        return true;
    guint8 block[BERTH_BLOCK_SIZE] __attribute__((aligned(8)));
    bool needs_block = false;
    guint8 *body = raw->bytes + sizeof(raw->fields);
    ext4->tree->xattrs_dropped += berth_ext4_xattr_encode(inode->xattrs, body, block, &needs_block);
    errcode_t code = needs_block ? share_block(ext4, inode, block, &raw->fields) : 0;
    *blocks += needs_block;
    return code == 0 || berth_ext4_fail(ext4, code, error);
}

static bool put_extents(BerthExt4 *ext4, const BerthInode *inode, BerthRawInode *raw,
                        guint64 *blocks, GError **error)
{
    if (!berth_ext4_inode_has_extents(inode))
        return true;
    const BerthExtent *extents =
        &((const BerthExtent *)(void *)ext4->extents->data)[inode->extent_first];
    guint64 tree_blocks = 0;
    errcode_t code =
        berth_extent_build(ext4->fs, ext4->blocks, inode->number, extents, inode->extent_count,
                           (guint8 *)raw->fields.i_block, &tree_blocks);
    if (code != 0)
        return berth_ext4_fail(ext4, code, error);
    for (guint i = 0; i < inode->extent_count; i++)
        *blocks += extents[i].count;
    *blocks += tree_blocks;
    return true;
}

static bool write_inode(BerthExt4 *ext4, BerthInode *inode, GError **error)
{
    BerthRawInode raw;
    guint64 blocks = 0;
    berth_ext4_inode_fill(inode, &raw);
    if (!put_extents(ext4, inode, &raw, &blocks, error) ||
        !put_xattrs(ext4, inode, &raw, &blocks, error))
        return false;
    ext2fs_iblk_set(ext4->fs, (struct ext2_inode *)&raw.fields, blocks);

    if (inode->number != EXT2_ROOT_INO)
        ext2fs_inode_alloc_stats2(ext4->fs, inode->number, +1, S_ISDIR(inode->mode));
    errcode_t code = berth_ext4_table_put(ext4->table, inode->number, &raw);
    return code == 0 || berth_ext4_fail(ext4, code, error);
}

/* Write in the order of inode numbers: root, reserved inodes, lost+found, the rest. */
static bool write_inodes(BerthExt4 *ext4, BerthRawInode *resize, BerthRawInode *journal,
                         GError **error)
{
    BerthTree *tree = ext4->tree;
    BerthInode *found = berth_tree_child(tree->root, "lost+found");
    if (!write_inode(ext4, tree->root, error))
        return false;
    errcode_t code = berth_ext4_table_put(ext4->table, EXT2_RESIZE_INO, resize);
    if (code == 0)
        code = berth_ext4_table_put(ext4->table, EXT2_JOURNAL_INO, journal);
    if (code != 0)
        return berth_ext4_fail(ext4, code, error);
    if (!write_inode(ext4, found, error))
        return false;
    for (guint i = 0; i < tree->inodes->len; i++) {
        BerthInode *inode = g_ptr_array_index(tree->inodes, i);
        if (inode->number >= FIRST_INODE && !write_inode(ext4, inode, error))
            return false;
    }
    code = berth_ext4_table_finish(ext4->table);
    return code == 0 || berth_ext4_fail(ext4, code, error);
}

/* --- finishing --- */

static void count_sharing(BerthExt4 *ext4, GArray *xattrs)
{
    Sharing *sharing = g_hash_table_lookup(ext4->sharings, xattrs);
    if (sharing == NULL) {
        sharing = g_new0(Sharing, 1);
        g_hash_table_insert(ext4->sharings, xattrs, sharing);
    }
    sharing->inodes++;
}

/* Number the live inodes and release the extents of replaced ones. */
static bool number_inodes(BerthExt4 *ext4, GError **error)
{
    const BerthTree *tree = ext4->tree;
    if (tree->live > ext4->fs->super->s_inodes_count - BERTH_EXT4_RESERVED_FILES) {
        g_autofree char *hint = g_strdup_printf("give the image more inodes: --inodes %u",
                                                tree->live + BERTH_EXT4_RESERVED_FILES);
        berth_error_set(error, BERTH_ERROR_NO_SPACE, "import.tree.too-many-files", hint,
                        "the archive has %u files, the image only %u inodes", tree->live,
                        ext4->fs->super->s_inodes_count - BERTH_EXT4_RESERVED_FILES);
        return false;
    }
    const BerthInode *found = berth_tree_child(tree->root, "lost+found");
    guint32 next = FIRST_INODE;
    for (guint i = 0; i < tree->inodes->len; i++) {
        BerthInode *inode = g_ptr_array_index(tree->inodes, i);
        if (inode->links == 0)
            berth_ext4_release_extents(ext4, inode);
        else if (inode == tree->root)
            inode->number = EXT2_ROOT_INO;
        else
            inode->number = inode == found ? LOST_AND_FOUND_INODE : next++;
        if (inode->links > 0 && inode->xattrs != NULL)
            count_sharing(ext4, inode->xattrs);
    }
    return true;
}

typedef bool (*InodeFunc)(BerthExt4 *ext4, BerthInode *inode, GError **error);

static bool for_each(BerthExt4 *ext4, mode_t type, InodeFunc func, GError **error)
{
    for (guint i = 0; i < ext4->tree->inodes->len; i++) {
        BerthInode *inode = g_ptr_array_index(ext4->tree->inodes, i);
        if (inode->links > 0 && (inode->mode & S_IFMT) == type && !func(ext4, inode, error))
            return false;
    }
    return true;
}

/* The checksums of directory and extent blocks include their inode's generation, which is 0 in all
 * of ours. libext2fs would read it from the image, where the inode is not written yet. */
static errcode_t read_generation(ext2_filsys fs, ext2_ino_t number, struct ext2_inode *ret_inode)
{
    (void)fs;
    (void)number;
    *ret_inode = (struct ext2_inode){0};
    return 0;
}

static bool identify(BerthExt4 *ext4, BerthRawInode *ret_resize, BerthRawInode *ret_journal,
                     GError **error)
{
    guint8 digest[BERTH_EXT4_DIGEST_SIZE];
    berth_ext4_digest(ext4->tree, digest);
    errcode_t code = berth_ext4_format_identify(ext4->fs, digest, ret_resize, ret_journal);
    return code == 0 || berth_ext4_fail(ext4, code, error);
}

bool berth_ext4_finish(BerthExt4 *ext4, BerthTree *tree, GError **error)
{
    g_free(ext4->label);
    ext4->label = g_strdup("finish the image");
    ext4->tree = tree;

    /* Number the inodes before writing directories, which refer to them; write the blocks of
     * directories and links before the inodes that point to them. */
    BerthRawInode resize;
    BerthRawInode journal;
    if (!resolve_acl_names(ext4, error) || !number_inodes(ext4, error) ||
        !identify(ext4, &resize, &journal, error))
        return false;
    ext4->fs->read_inode = read_generation;
    if (!for_each(ext4, S_IFLNK, write_symlink, error) ||
        !for_each(ext4, S_IFDIR, write_directory, error) ||
        !write_inodes(ext4, &resize, &journal, error))
        return false;

    ext4->fs->read_inode = NULL;
    errcode_t code = berth_blocks_finish(ext4->blocks);
    if (code == 0)
        code = ext2fs_close_free(&ext4->fs);
    return code == 0 || berth_ext4_fail(ext4, code, error);
}

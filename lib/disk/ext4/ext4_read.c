/* SPDX-License-Identifier: MIT */
#include "ext4_read.h"

#include "ext4_dir.h"
#include "ext4_io.h"
#include "ext4_map.h"
#include "ext4_read_xattr.h"

#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_LIMIT    4096U
#define PATH_LIMIT     65535U
#define GROUPS_LIMIT   (1U << 20) /* 128 TiB */
#define FAST_SYMLINK   60U        /* shorter targets are stored in the inode */
#define SYMLINK_LIMIT  4095U
#define INODE_SIZE_MAX 4096U
#define DAMAGED_HINT   "stop the distro and repair its disk with e2fsck -f"

/* A directory on the path of the walk: its entries and the position in them. */
typedef struct {
    BerthDirListing *listing;
    guint next;
    gsize path_length; /* of the directory itself */
} Level;

struct BerthExt4Reader {
    ext2_filsys fs;
    GArray *levels;    /* Level, the root first */
    GString *path;     /* of the last entry */
    guint8 *seen;      /* a bit for each inode */
    GHashTable *links; /* inode number -> path of its first name, for files with several */
    GArray *runs;      /* of the last entry */
    struct ext2_inode_large *inode;
    guint64 data;   /* bytes of data so far */
    guint32 number; /* of the last entry */
    bool started;
    bool resolves_links;
    BerthExt4Skipped skipped;
};

static const struct {
    mode_t mode;
    BerthEntryType type;
} types[] = {
    {S_IFREG, BERTH_ENTRY_FILE},         {S_IFDIR, BERTH_ENTRY_DIRECTORY},
    {S_IFLNK, BERTH_ENTRY_SYMLINK},      {S_IFCHR, BERTH_ENTRY_CHAR_DEVICE},
    {S_IFBLK, BERTH_ENTRY_BLOCK_DEVICE}, {S_IFIFO, BERTH_ENTRY_FIFO},
    {S_IFSOCK, BERTH_ENTRY_SOCKET},
};

/* --- errors --- */

static bool fail(const BerthExt4Reader *reader, errcode_t code, GError **error)
{
    g_autofree char *shown = berth_text_escape(reader->path->str);
    if (code > 0 && code < 256)
        berth_error_set_errno(error, (int)code, "export.read", "%s", shown);
    else if (code == EXT2_ET_INODE_NOT_EXTENT)
        berth_error_set(error, BERTH_ERROR_INVALID, "export.read.unsupported",
                        "replace the file by a copy of itself inside the distro",
                        "%s: the file uses ext3's block map, which is not supported", shown);
    else
        berth_error_set(error, BERTH_ERROR_INVALID, "export.read.damaged", DAMAGED_HINT,
                        "%s: the file system is damaged: %s", shown, error_message(code));
    return false;
}

static bool fail_damaged(const BerthExt4Reader *reader, const char *what, GError **error)
{
    g_autofree char *shown = berth_text_escape(reader->path->str);
    berth_error_set(error, BERTH_ERROR_INVALID, "export.read.damaged", DAMAGED_HINT,
                    "%s: the file system is damaged: %s", shown, what);
    return false;
}

static bool fail_open(errcode_t code, GError **error)
{
    if (code > 0 && code < 256)
        berth_error_set_errno(error, (int)code, "export.read", "read the image");
    else if (code == EXT2_ET_BAD_MAGIC || code == EXT2_ET_SHORT_READ)
        berth_error_set(error, BERTH_ERROR_INVALID, "export.read.not-ext4", NULL,
                        "the image holds no ext4 file system");
    else if (code == EXT2_ET_UNSUPP_FEATURE || code == EXT2_ET_RO_UNSUPP_FEATURE)
        berth_error_set(error, BERTH_ERROR_INVALID, "export.read.unsupported", NULL,
                        "the file system has features that are not supported");
    else
        berth_error_set(error, BERTH_ERROR_INVALID, "export.read.damaged", DAMAGED_HINT,
                        "the file system is damaged: %s", error_message(code));
    return false;
}

/* --- opening --- */

/* Name a feature that this reader does not support. */
static const char *unsupported_feature(const struct ext2_super_block *super)
{
    static const struct {
        guint32 bit;
        const char *name;
    } incompatible[] = {
        {EXT2_FEATURE_INCOMPAT_COMPRESSION, "compression"},
        {EXT3_FEATURE_INCOMPAT_JOURNAL_DEV, "journal_dev"},
        {EXT4_FEATURE_INCOMPAT_DIRDATA, "dirdata"},
        {EXT4_FEATURE_INCOMPAT_INLINE_DATA, "inline_data"},
        {EXT4_FEATURE_INCOMPAT_ENCRYPT, "encrypt"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(incompatible); i++)
        if ((super->s_feature_incompat & incompatible[i].bit) != 0)
            return incompatible[i].name;
    if ((super->s_feature_incompat & EXT2_FEATURE_INCOMPAT_FILETYPE) == 0)
        return "no filetype";
    if ((super->s_feature_ro_compat & EXT4_FEATURE_RO_COMPAT_SHARED_BLOCKS) != 0)
        return "shared_blocks";
    return NULL;
}

static bool check_features(const struct ext2_super_block *super, GError **error)
{
    const char *feature = unsupported_feature(super);
    if (feature != NULL) {
        berth_error_set(error, BERTH_ERROR_INVALID, "export.read.unsupported", NULL,
                        "the file system has a feature that is not supported: %s", feature);
        return false;
    }
    if ((super->s_feature_incompat & EXT3_FEATURE_INCOMPAT_RECOVER) != 0) {
        berth_error_set(error, BERTH_ERROR_INVALID, "export.read.unclean",
                        "start the distro and stop it again: that replays the journal",
                        "the distro was not shut down: its last writes are still in the journal");
        return false;
    }
    return true;
}

/* Check the superblock before libext2fs allocates memory by its fields. */
static bool check_size(int fd, GError **error)
{
    struct ext2_super_block super;
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail_open(errno, error);
    ssize_t got = pread(fd, &super, sizeof(super), SUPERBLOCK_OFFSET);
    if (got < 0)
        return fail_open(errno, error);
    if (got < (ssize_t)sizeof(super) || GUINT16_FROM_LE(super.s_magic) != EXT2_SUPER_MAGIC)
        return fail_open(EXT2_ET_BAD_MAGIC, error);

    guint shift = GUINT32_FROM_LE(super.s_log_block_size) + 10;
    guint32 per_group = GUINT32_FROM_LE(super.s_blocks_per_group);
    guint64 blocks = GUINT32_FROM_LE(super.s_blocks_count);
    if ((GUINT32_FROM_LE(super.s_feature_incompat) & EXT4_FEATURE_INCOMPAT_64BIT) != 0)
        blocks |= (guint64)GUINT32_FROM_LE(super.s_blocks_count_hi) << 32;
    if (shift > 16 || per_group == 0 || blocks / per_group >= GROUPS_LIMIT)
        return fail_open(EXT2_ET_CORRUPT_SUPERBLOCK, error);
    if (blocks > (guint64)status.st_size >> shift) {
        berth_error_set(error, BERTH_ERROR_INVALID, "export.read.damaged", NULL,
                        "the image is shorter than the file system in it");
        return false;
    }
    return true;
}

BerthExt4Reader *berth_ext4_reader_new(int fd, GError **error)
{
    initialize_ext2_error_table();
    if (!check_size(fd, error))
        return NULL;
    ext2_filsys fs = NULL;
    errcode_t code = berth_ext4_io_open(fd, &fs);
    if (code != 0)
        return fail_open(code, error), NULL;

    g_autoptr(BerthExt4Reader) reader = g_new0(BerthExt4Reader, 1);
    reader->fs = fs;
    reader->levels = g_array_new(false, true, sizeof(Level));
    reader->path = g_string_new(NULL);
    reader->links = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    reader->runs = g_array_new(false, false, sizeof(BerthDataRun));
    if (!check_features(fs->super, error))
        return NULL;
    if (EXT2_INODE_SIZE(fs->super) > INODE_SIZE_MAX)
        return fail_open(EXT2_ET_CORRUPT_SUPERBLOCK, error), NULL;
    reader->inode = g_malloc0(MAX(EXT2_INODE_SIZE(fs->super), sizeof(*reader->inode)));
    reader->seen = g_try_malloc0(fs->super->s_inodes_count / 8 + 1);
    if (reader->seen == NULL)
        return fail_open(ENOMEM, error), NULL;
    return g_steal_pointer(&reader);
}

void berth_ext4_reader_free(BerthExt4Reader *reader)
{
    if (reader == NULL)
        return;
    for (guint i = 0; i < reader->levels->len; i++)
        berth_dir_listing_free(g_array_index(reader->levels, Level, i).listing);
    g_array_unref(reader->levels);
    g_string_free(reader->path, true);
    g_hash_table_unref(reader->links);
    g_array_unref(reader->runs);
    g_free(reader->seen);
    g_free(reader->inode);
    ext2fs_free(reader->fs);
    g_free(reader);
}

/* --- one inode --- */

static const struct ext2_inode *plain(const BerthExt4Reader *reader)
{
    return (const struct ext2_inode *)reader->inode;
}

static guint64 size_of(const BerthExt4Reader *reader)
{
    return EXT2_I_SIZE(reader->inode);
}

static bool read_inode(BerthExt4Reader *reader, guint32 number, GError **error)
{
    const struct ext2_super_block *super = reader->fs->super;
    bool allowed = number == EXT2_ROOT_INO ||
                   (number >= EXT2_FIRST_INO(super) && number <= super->s_inodes_count);
    if (!allowed)
        return fail(reader, EXT2_ET_BAD_INODE_NUM, error);
    errcode_t code = ext2fs_read_inode_full(reader->fs, number, (struct ext2_inode *)reader->inode,
                                            (int)EXT2_INODE_SIZE(super));
    if (code != 0)
        return fail(reader, code, error);
    if (reader->inode->i_links_count == 0)
        return fail_damaged(reader, "a name leads to a deleted file", error);
    return true;
}

/* Mark an inode as seen; further names of it become hard links to the first. */
static bool mark_seen(BerthExt4Reader *reader, guint32 number)
{
    guint8 bit = (guint8)(1U << (number % 8));
    bool before = (reader->seen[number / 8] & bit) != 0;
    reader->seen[number / 8] |= bit;
    return before;
}

/* The first word holds 32 bits of signed seconds; the second, if present, two more bits and the
 * nanoseconds. */
static BerthTime get_time(const BerthExt4Reader *reader, guint32 seconds, const guint32 *extra)
{
    const guint8 *inode = (const guint8 *)reader->inode;
    gsize end = (gsize)((const guint8 *)(extra + 1) - inode);
    BerthTime time = {.sec = (gint32)seconds};
    if (EXT2_INODE_SIZE(reader->fs->super) < end ||
        EXT2_GOOD_OLD_INODE_SIZE + (gsize)reader->inode->i_extra_isize < end)
        return time;
    time.sec += (gint64)(*extra & 3) << 32;
    time.nsec = MIN(*extra >> 2, 999999999U);
    return time;
}

static void get_times(const BerthExt4Reader *reader, BerthEntry *entry)
{
    const struct ext2_inode_large *inode = reader->inode;
    entry->times[BERTH_TIME_MODIFIED] = get_time(reader, inode->i_mtime, &inode->i_mtime_extra);
    entry->times[BERTH_TIME_ACCESSED] = get_time(reader, inode->i_atime, &inode->i_atime_extra);
    entry->times[BERTH_TIME_CHANGED] = get_time(reader, inode->i_ctime, &inode->i_ctime_extra);
    for (guint i = BERTH_TIME_MODIFIED; i <= BERTH_TIME_CHANGED; i++)
        entry->has_time[i] = true;
}

/* Encoded as 8:8 bits in the first word, or 12:20 in the second. */
static void get_device(const BerthExt4Reader *reader, BerthEntry *entry)
{
    guint32 old = reader->inode->i_block[0];
    guint32 new = reader->inode->i_block[1];
    entry->major = old != 0 ? old >> 8 & 0xff : (new & 0xfff00) >> 8;
    entry->minor = old != 0 ? old & 0xff : (new & 0xff) | (new >> 12 & 0xfff00);
}

static bool get_target(BerthExt4Reader *reader, guint32 number, BerthEntry *entry, GError **error)
{
    guint64 size = size_of(reader);
    if (size == 0 || size > SYMLINK_LIMIT)
        return fail_damaged(reader, "a symbolic link of an impossible length", error);

    g_autofree char *target = g_malloc0(size + 1);
    if (size < FAST_SYMLINK && (reader->inode->i_flags & EXT4_EXTENTS_FL) == 0) {
        memcpy(target, reader->inode->i_block, size);
    } else {
        g_autoptr(GArray) runs = NULL;
        errcode_t code = berth_ext4_map(reader->fs, number, plain(reader), size, &runs);
        if (code == 0)
            code = berth_ext4_map_read(reader->fs, runs, target, size);
        if (code != 0)
            return fail(reader, code, error);
    }
    if (strlen(target) != size)
        return fail_damaged(reader, "a symbolic link's target is truncated", error);
    entry->target = g_steal_pointer(&target);
    return true;
}

/* The total of all files' data cannot exceed the file system's blocks, unless files share
 * blocks. @is_known: it was counted with an earlier name of the file. */
static bool get_data(BerthExt4Reader *reader, guint32 number, bool is_known, BerthEntry *entry,
                     GError **error)
{
    ext2_filsys fs = reader->fs;
    guint64 size = size_of(reader);
    if (size > (guint64)fs->blocksize << 32)
        return fail_damaged(reader, "a file of an impossible size", error);

    g_clear_pointer(&reader->runs, g_array_unref);
    errcode_t code = berth_ext4_map(fs, number, plain(reader), size, &reader->runs);
    if (code != 0) {
        reader->runs = g_array_new(false, false, sizeof(BerthDataRun));
        return fail(reader, code, error);
    }
    for (guint i = 0; !is_known && i < reader->runs->len; i++)
        reader->data += g_array_index(reader->runs, BerthDataRun, i).length;
    if (reader->data > ext2fs_blocks_count(fs->super) * fs->blocksize)
        return fail_damaged(reader, "files have more data than there are blocks", error);
    entry->size = (gint64)size;
    return true;
}

static bool set_type(const BerthExt4Reader *reader, BerthEntry *entry)
{
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
        if (types[i].mode != (reader->inode->i_mode & S_IFMT))
            continue;
        entry->type = types[i].type;
        return true;
    }
    return false;
}

/* Read the metadata in the inode's fields. */
static bool get_fields(BerthExt4Reader *reader, BerthEntry *entry, GError **error)
{
    const struct ext2_inode_large *inode = reader->inode;
    if (!set_type(reader, entry))
        return fail_damaged(reader, "a file of unknown type", error);
    gsize extra = EXT2_INODE_SIZE(reader->fs->super) - EXT2_GOOD_OLD_INODE_SIZE;
    if (extra > 0 && (inode->i_extra_isize > extra || inode->i_extra_isize % 4 != 0))
        return fail(reader, EXT2_ET_INODE_CORRUPTED, error);
    if ((inode->i_flags & EXT4_ENCRYPT_FL) != 0)
        return fail_damaged(reader, "a file is encrypted", error);

    entry->path = g_strdup(reader->path->str);
    entry->mode = inode->i_mode & 07777;
    entry->uid = inode->i_uid | (gint64)inode->i_uid_high << 16;
    entry->gid = inode->i_gid | (gint64)inode->i_gid_high << 16;
    get_times(reader, entry);
    if (entry->type == BERTH_ENTRY_CHAR_DEVICE || entry->type == BERTH_ENTRY_BLOCK_DEVICE)
        get_device(reader, entry);
    return true;
}

static bool enter_directory(BerthExt4Reader *reader, guint32 number, GError **error)
{
    if (reader->levels->len >= DEPTH_LIMIT)
        return fail_damaged(reader, "directories are nested too deeply", error);
    Level level = {.path_length = reader->path->len};
    errcode_t code = berth_dir_listing_read(reader->fs, number, plain(reader), &level.listing);
    if (code != 0)
        return fail(reader, code, error);
    g_array_append_val(reader->levels, level);
    return true;
}

/* Make a hard link to @first, for a further name of a file already returned. */
static bool make_link(const char *first, BerthEntry *entry)
{
    entry->type = BERTH_ENTRY_HARDLINK;
    g_free(entry->target);
    entry->target = g_strdup(first);
    return true;
}

static bool get_content(BerthExt4Reader *reader, guint32 number, bool is_known, BerthEntry *entry,
                        GError **error)
{
    errcode_t code =
        berth_ext4_read_xattr(reader->fs, number, reader->inode, entry, &reader->skipped.xattrs);
    if (code != 0)
        return fail(reader, code, error);
    switch (entry->type) {
    case BERTH_ENTRY_FILE:
        return get_data(reader, number, is_known, entry, error);
    case BERTH_ENTRY_SYMLINK:
        return get_target(reader, number, entry, error);
    case BERTH_ENTRY_DIRECTORY:
        return enter_directory(reader, number, error);
    default:
        return true;
    }
}

static bool read_entry(BerthExt4Reader *reader, guint32 number, BerthEntry *entry, GError **error)
{
    if (!read_inode(reader, number, error) || !get_fields(reader, entry, error))
        return false;
    if (entry->type == BERTH_ENTRY_SOCKET) {
        reader->skipped.sockets++;
        return true;
    }
    bool is_known = mark_seen(reader, number);
    const char *first = g_hash_table_lookup(reader->links, GUINT_TO_POINTER(number));
    if (is_known && first == NULL)
        return fail_damaged(reader, "a file or directory has more names than its link count",
                            error);
    if (is_known && !reader->resolves_links)
        return make_link(first, entry);
    if (!is_known && entry->type != BERTH_ENTRY_DIRECTORY && reader->inode->i_links_count > 1)
        g_hash_table_insert(reader->links, GUINT_TO_POINTER(number), g_strdup(entry->path));
    return get_content(reader, number, is_known, entry, error);
}

/* --- walking --- */

/* Advance to the next inode: returns its number, with its path in reader->path; 0 at the end. */
static guint32 step(BerthExt4Reader *reader)
{
    if (!reader->started) {
        reader->started = true;
        return EXT2_ROOT_INO;
    }
    while (reader->levels->len > 0) {
        Level *level = &g_array_index(reader->levels, Level, reader->levels->len - 1);
        g_string_truncate(reader->path, level->path_length);
        const BerthDirItem *item = berth_dir_listing_nth(level->listing, level->next++);
        if (item == NULL) {
            berth_dir_listing_free(level->listing);
            g_array_set_size(reader->levels, reader->levels->len - 1);
            continue;
        }
        if (level->path_length == 0 && strcmp(item->name, "lost+found") == 0)
            continue;
        if (level->path_length > 0)
            g_string_append_c(reader->path, '/');
        g_string_append(reader->path, item->name);
        return item->inode;
    }
    return 0;
}

bool berth_ext4_reader_next(BerthExt4Reader *reader, BerthEntry *ret_entry, const GArray **ret_runs,
                            bool *ret_end, GError **error)
{
    for (;;) {
        g_auto(BerthEntry) entry = {0};
        guint32 number = step(reader);
        if (number == 0) {
            *ret_end = true;
            return true;
        }
        if (reader->path->len > PATH_LIMIT)
            return fail_damaged(reader, "a path is longer than 65535 bytes", error);
        if (!read_entry(reader, number, &entry, error))
            return false;
        if (entry.type == BERTH_ENTRY_SOCKET)
            continue;
        reader->number = number;
        *ret_end = false;
        *ret_runs = entry.type == BERTH_ENTRY_FILE ? reader->runs : NULL;
        *ret_entry = entry;
        entry = (BerthEntry){0};
        return true;
    }
}

bool berth_ext4_reader_read(BerthExt4Reader *reader, guint64 position, void *buffer, gsize size,
                            GError **error)
{
    errcode_t code = berth_ext4_io_read(reader->fs, position, buffer, size);
    return code == 0 || fail(reader, code, error);
}

void berth_ext4_reader_resolve_links(BerthExt4Reader *reader)
{
    reader->resolves_links = true;
}

BerthExt4Identity berth_ext4_reader_identity(const BerthExt4Reader *reader)
{
    return (BerthExt4Identity){reader->number, reader->inode->i_links_count};
}

/* The used blocks minus metadata overhead; blocks of directories count as data. */
guint64 berth_ext4_reader_used(const BerthExt4Reader *reader)
{
    ext2_filsys fs = reader->fs;
    guint64 used = ext2fs_blocks_count(fs->super) -
                   MIN(ext2fs_free_blocks_count(fs->super), ext2fs_blocks_count(fs->super));
    guint64 own = (guint64)fs->group_desc_count * (fs->inode_blocks_per_group + 2);
    for (dgrp_t i = 0; i < fs->group_desc_count; i++)
        if (ext2fs_bg_has_super(fs, i))
            own += 1 + fs->desc_blocks + fs->super->s_reserved_gdt_blocks;

    struct ext2_inode journal;
    if (fs->super->s_journal_inum != 0 &&
        ext2fs_read_inode(fs, fs->super->s_journal_inum, &journal) == 0)
        own += EXT2_I_SIZE(&journal) / fs->blocksize;
    return used > own ? (used - own) * fs->blocksize : 0;
}

BerthExt4Skipped berth_ext4_reader_skipped(const BerthExt4Reader *reader)
{
    return reader->skipped;
}

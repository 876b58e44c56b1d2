/* SPDX-License-Identifier: MIT */
#include "ext4_check.h"

#include "base/error.h"
#include "base/size.h"

#include <errno.h>
#include <et/com_err.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FSCK_HINT "repair it: e2fsck -f FILE"

typedef struct {
    int fd;
    const char *name;
    ext2_filsys fs;
} Check;

static void check_clear(Check *check)
{
    if (check->fs != NULL)
        ext2fs_free(check->fs);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Check, check_clear)

static bool refuse(const Check *check, const char *id, const char *hint, const char *text,
                   GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, id, hint, "%s: %s", check->name, text);
    return false;
}

static const struct {
    errcode_t code;
    const char *id;
    const char *hint;
    const char *text;
} open_errors[] = {
    {EXT2_ET_UNSUPP_FEATURE, "import.in-place.features",
     "copy its files into an image that berth made",
     "the file system has features that berth does not know"},
    {EXT2_ET_RO_UNSUPP_FEATURE, "import.in-place.features",
     "copy its files into an image that berth made",
     "the file system has features that berth does not know"},
    {EXT2_ET_REV_TOO_HIGH, "import.in-place.features",
     "copy its files into an image that berth made", "the file system is of a newer revision"},
};

static bool open_image(Check *check, GError **error)
{
    /* This I/O manager parses the name as a descriptor number, and closes it even on failure. */
    int own = fcntl(check->fd, F_DUPFD_CLOEXEC, 0);
    g_autofree char *name = g_strdup_printf("%d", own);
    errcode_t code = ext2fs_open2(name, NULL, EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES, 0, 0,
                                  unixfd_io_manager, &check->fs);
    for (gsize i = 0; i < G_N_ELEMENTS(open_errors); i++)
        if (open_errors[i].code == code)
            return refuse(check, open_errors[i].id, open_errors[i].hint, open_errors[i].text,
                          error);
    return code == 0 || refuse(check, "import.in-place.damaged", FSCK_HINT,
                               "the superblock or the list of block groups is damaged", error);
}

static bool check_super(const Check *check, GError **error)
{
    struct ext2_super_block *super = check->fs->super;
    bool recovers = ext2fs_has_feature_journal_needs_recovery(super);
    if (ext2fs_has_feature_journal_dev(super) || super->s_journal_dev != 0)
        return refuse(check, "import.in-place.journal-elsewhere", NULL,
                      "its journal is on another device", error);
    if ((super->s_state & EXT2_ERROR_FS) != 0)
        return refuse(check, "import.in-place.has-errors", FSCK_HINT,
                      "the file system is marked as having errors", error);
    if ((super->s_state & EXT2_VALID_FS) == 0 && !recovers)
        return refuse(check, "import.in-place.not-clean", FSCK_HINT,
                      "the file system was not unmounted, and has no journal", error);
    return true;
}

static bool check_size(const Check *check, guint64 *ret_size, GError **error)
{
    struct stat st;
    guint64 size = ext2fs_blocks_count(check->fs->super) * check->fs->blocksize;
    if (fstat(check->fd, &st) < 0) {
        berth_error_set_errno(error, errno, "import.in-place", "%s", check->name);
        return false;
    }
    if ((guint64)st.st_size >= size) {
        *ret_size = size;
        return true;
    }
    g_autofree char *has = berth_size_format((guint64)st.st_size);
    g_autofree char *needs = berth_size_format(size);
    g_autofree char *text =
        g_strdup_printf("the file has only %s of the file system's %s", has, needs);
    return refuse(check, "import.in-place.truncated", "copy or fetch it again", text, error);
}

static bool check_groups(const Check *check, GError **error)
{
    bool good = ext2fs_check_desc(check->fs) == 0;
    for (dgrp_t i = 0; good && i < check->fs->group_desc_count; i++)
        good = ext2fs_group_desc_csum_verify(check->fs, i);
    return good || refuse(check, "import.in-place.damaged", FSCK_HINT,
                          "the list of block groups is damaged", error);
}

static bool has_name(const Check *check, const char *name)
{
    ext2_ino_t number = 0;
    return ext2fs_lookup(check->fs, EXT2_ROOT_INO, name, (int)strlen(name), NULL, &number) == 0;
}

static bool check_root(const Check *check, GError **error)
{
    struct ext2_inode root;
    if (ext2fs_read_inode(check->fs, EXT2_ROOT_INO, &root) != 0 || !LINUX_S_ISDIR(root.i_mode))
        return refuse(check, "import.in-place.damaged", FSCK_HINT, "the root directory is damaged",
                      error);
    return has_name(check, "etc") || has_name(check, "bin") || has_name(check, "usr") ||
           refuse(check, "import.in-place.not-a-rootfs", NULL,
                  "not a root file system: it has no /etc, /bin or /usr", error);
}

bool berth_ext4_check_head(const guint8 *head, gsize size)
{
    const struct ext2_super_block *super =
        (const struct ext2_super_block *)(head + SUPERBLOCK_OFFSET);
    return size >= SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE &&
           GUINT16_FROM_LE(super->s_magic) == EXT2_SUPER_MAGIC;
}

bool berth_ext4_check(int fd, const char *name, BerthExt4Facts *ret_facts, GError **error)
{
    g_auto(Check) check = {.fd = fd, .name = name};
    guint64 size = 0;
    if (!open_image(&check, error) || !check_super(&check, error) ||
        !check_size(&check, &size, error) || !check_groups(&check, error) ||
        !check_root(&check, error))
        return false;
    *ret_facts = (BerthExt4Facts){
        .size = size,
        .needs_recovery = ext2fs_has_feature_journal_needs_recovery(check.fs->super) != 0};
    return true;
}

/* SPDX-License-Identifier: MIT */
#include "patched_image.h"

#include "disk/image/image.h"
#include "tarball.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_SIZE        4096U
#define SUPERBLOCK_AT     1024U
#define INODES_PER_GROUP  40U
#define RO_COMPAT         100U
#define METADATA_CSUM     0x400U
#define INODE_SIZE        256U
#define DESCRIPTOR_TABLES 8U /* bg_inode_table_lo */

static guint32 get32(const guint8 *at)
{
    guint32 value;
    memcpy(&value, at, sizeof(value));
    return GUINT32_FROM_LE(value);
}

void patched_image_put(guint8 *at, guint size, guint64 value)
{
    guint64 swapped = GUINT64_TO_LE(value);
    memcpy(at, &swapped, size);
}

static GByteArray *make_archive(void)
{
    static const char acl[] = "user::rw-,user:1000:r--,group::r--,mask::r--,other::---";
    static const char *const attributes[] = {"SCHILY.xattr.user.note", "a note",
                                             "SCHILY.acl.access", acl, NULL};
    GByteArray *tarball = tarball_new_rootfs();
    g_autofree char *data = g_malloc0(64 << 10);
    memset(data, 'a', 4096);
    memset(data + (60 << 10), 'b', 4096);
    TARBALL_ADD(tarball, .path = "etc/victim", .mode = 0640, .data = data, .size = 64 << 10,
                .pax = attributes);
    TARBALL_ADD(tarball, .path = "etc/other", .type = '1', .target = "etc/victim");
    TARBALL_ADD(tarball, .path = "etc/pointer", .type = '2', .target = "victim");
    g_autofree char *target = g_strnfill(200, 'x');
    TARBALL_ADD(tarball, .path = "etc/long-pointer", .type = '2', .target = target);
    TARBALL_ADD(tarball, .path = "etc/inner/leaf", .mode = 0644, .data = "leaf\n");
    for (guint i = 0; i < 400; i++) {
        g_autofree char *path = g_strdup_printf("etc/many/a-file-with-a-longish-name-%u", i);
        TARBALL_ADD(tarball, .path = path, .mode = 0644);
    }
    tarball_end(tarball);
    return tarball;
}

PatchedImage *patched_image_new(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) tarball = make_archive();
    PatchedImage *image = g_new0(PatchedImage, 1);
    image->fd = memfd_create("image", MFD_CLOEXEC);
    int input = tarball_open(tarball);
    const BerthImageOptions options = {.name = "x.tar", .size = PATCHED_IMAGE_SIZE, .spool = -1};
    berth_image_write(input, image->fd, &options, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    close(input);
    image->bytes = mmap(NULL, PATCHED_IMAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, image->fd, 0);
    g_assert_true(image->bytes != MAP_FAILED);
    return image;
}

void patched_image_free(PatchedImage *image)
{
    munmap(image->bytes, PATCHED_IMAGE_SIZE);
    close(image->fd);
    g_free(image);
}

void patched_image_drop_checksums(PatchedImage *image)
{
    guint8 *features = image->bytes + SUPERBLOCK_AT + RO_COMPAT;
    patched_image_put(features, 4, get32(features) & ~METADATA_CSUM);
}

guint8 *patched_image_entry(const PatchedImage *image, const char *name)
{
    /* inode, record length, name length, type, name */
    gsize length = strlen(name);
    guint8 *end = image->bytes + PATCHED_IMAGE_SIZE - BLOCK_SIZE;
    for (guint8 *at = image->bytes; at < end; at++) {
        guint8 *found = memmem(at, (gsize)(end - at), name, length);
        g_assert_nonnull(found);
        at = found;
        guint8 *entry = found - 8;
        if (((gsize)(entry - image->bytes) % 4) == 0 && entry[6] == length && entry[7] >= 1 &&
            entry[7] <= 7 && get32(entry) != 0 && get32(entry) < 65536)
            return entry;
    }
    g_assert_not_reached();
}

guint8 *patched_image_inode(const PatchedImage *image, const char *name)
{
    guint32 number = get32(patched_image_entry(image, name)) - 1;
    guint32 per_group = get32(image->bytes + SUPERBLOCK_AT + INODES_PER_GROUP);
    g_assert_cmpuint(number, <, per_group);
    guint64 table = get32(image->bytes + BLOCK_SIZE + DESCRIPTOR_TABLES);
    return image->bytes + table * BLOCK_SIZE + (gsize)number * INODE_SIZE;
}

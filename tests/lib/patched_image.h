/* SPDX-License-Identifier: MIT
 *
 * patched_image — a small image in memory that tests modify, as a hostile guest might.
 */
#pragma once

#include <glib.h>

#define PATCHED_IMAGE_SIZE (G_GUINT64_CONSTANT(64) << 20)

typedef struct {
    int fd;
    guint8 *bytes; /* the same, mapped */
} PatchedImage;

/* An image with, below etc/: "victim" (a file of two extents with a hole between, attributes and an
 * ACL), "other" (a hard link to it), "pointer" and "long-pointer" (symlinks), "inner" (a directory
 * with the file "leaf"), and "many" (an indexed directory). */
PatchedImage *patched_image_new(void);
void patched_image_free(PatchedImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PatchedImage, patched_image_free)

/* Remove the checksums, so that a modified field is not detected by its checksum alone. */
void patched_image_drop_checksums(PatchedImage *image);

/* Find the directory entry @name, and its inode. */
guint8 *patched_image_entry(const PatchedImage *image, const char *name);
guint8 *patched_image_inode(const PatchedImage *image, const char *name);

void patched_image_put(guint8 *at, guint size, guint64 value);

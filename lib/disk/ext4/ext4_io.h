/* SPDX-License-Identifier: MIT
 *
 * ext4_io — libext2fs's I/O manager for the reader: one descriptor, read-only, no path.
 *
 * Private to ext4_read.c and its parts. The descriptor is borrowed. Reads beyond the end fail with
 * EXT2_ET_SHORT_READ, others with an errno.
 */
#pragma once

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Open the file system in @fd. *ret_fs is set on success only; free with ext2fs_free. */
errcode_t berth_ext4_io_open(int fd, ext2_filsys *ret_fs);

/* Read @size bytes of the image at @position. */
errcode_t berth_ext4_io_read(ext2_filsys fs, guint64 position, void *buffer, gsize size);

G_END_DECLS

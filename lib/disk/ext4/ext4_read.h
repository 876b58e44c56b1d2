/* SPDX-License-Identifier: MIT
 *
 * ext4_read — reads the files of an ext4 image nobody has mounted, one after the other.
 *
 * Depth first and sorted by name (bytes), a directory before what is in it, so that the same file
 * system always gives the same order. The root is the entry "". The first name of a file that has
 * several stands for it, the others are hard links to that one. lost+found, and what has no name,
 * is left out; so are sockets, which mean nothing without their process.
 *
 * The image is untrusted: verifies all checksums, follows no loop and bounds allocations
 * independently of the image's claims.
 *
 * With ext4_io, ext4_map, ext4_dir and ext4_read_xattr it uses libext2fs for the superblock, the
 * inodes and the checksums. Ownership: the descriptor is borrowed, only ever read, and no path is
 * opened.
 *
 * Errors: BERTH_ERROR_INVALID with "export.read.not-ext4", "export.read.unsupported",
 * "export.read.unclean" (its journal must be replayed first) and "export.read.damaged"; what
 * reading gives is "export.read.io" and so on. Messages begin with the path of the file.
 */
#pragma once

#include "disk/tree/entry.h"
#include "disk/tree/run.h"

G_BEGIN_DECLS

typedef struct BerthExt4Reader BerthExt4Reader;

typedef struct {
    guint64 sockets;
    guint xattrs; /* attributes of a namespace archives do not carry */
} BerthExt4Skipped;

BerthExt4Reader *berth_ext4_reader_new(int fd, GError **error);
void berth_ext4_reader_free(BerthExt4Reader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthExt4Reader, berth_ext4_reader_free)

/* The next entry into the empty *ret_entry; *ret_end: there is none. *ret_runs (BerthDataRun) is
 * the data of a regular file, NULL for everything else; good until the next call. */
bool berth_ext4_reader_next(BerthExt4Reader *reader, BerthEntry *ret_entry, const GArray **ret_runs,
                            bool *ret_end, GError **error);

/* @size bytes of the image at @position, of the last entry's data. */
bool berth_ext4_reader_read(BerthExt4Reader *reader, guint64 position, void *buffer, gsize size,
                            GError **error);

/* About how many bytes of data the files have. */
guint64 berth_ext4_reader_used(const BerthExt4Reader *reader);

/* What was left out so far. */
BerthExt4Skipped berth_ext4_reader_skipped(const BerthExt4Reader *reader);

G_END_DECLS

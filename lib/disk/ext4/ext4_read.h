/* SPDX-License-Identifier: MIT
 *
 * ext4_read — reads the files of an unmounted ext4 image one by one.
 *
 * The order is depth first, sorted bytewise by name, directories before their content: equal file
 * systems give equal sequences. The root is the entry "". The first name of a file with several is
 * the file, the others are hard links to it. Skips lost+found, nameless inodes, and sockets, which
 * are useless without their process.
 *
 * The image is untrusted: verifies all checksums, follows no loop and bounds allocations
 * independently of the image's claims.
 *
 * With ext4_io, ext4_map, ext4_dir and ext4_read_xattr it uses libext2fs for the superblock, the
 * inodes and the checksums. Ownership: the descriptor is borrowed and only read; no path is opened.
 *
 * Errors: BERTH_ERROR_INVALID with "export.read.not-ext4", "export.read.unsupported",
 * "export.read.unclean" (its journal must be replayed first) and "export.read.damaged"; read errors
 * are "export.read.io" and so on. Messages begin with the path of the file.
 */
#pragma once

#include "disk/tree/entry.h"
#include "disk/tree/run.h"

G_BEGIN_DECLS

typedef struct BerthExt4Reader BerthExt4Reader;

typedef struct {
    guint64 sockets;
    guint xattrs; /* attributes of namespaces that archives do not carry */
} BerthExt4Skipped;

BerthExt4Reader *berth_ext4_reader_new(int fd, GError **error);
void berth_ext4_reader_free(BerthExt4Reader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthExt4Reader, berth_ext4_reader_free)

/* Read the next entry into the empty *ret_entry; *ret_end: there are no more. *ret_runs
 * (BerthDataRun) is the data of a regular file, otherwise NULL; valid until the next call. */
bool berth_ext4_reader_next(BerthExt4Reader *reader, BerthEntry *ret_entry, const GArray **ret_runs,
                            bool *ret_end, GError **error);

/* Read @size bytes of the image at @position, which lie in the last entry's data. */
bool berth_ext4_reader_read(BerthExt4Reader *reader, guint64 position, void *buffer, gsize size,
                            GError **error);

/* From now on, which is before the first entry, further names of a file are files with its data
 * instead of hard links. */
void berth_ext4_reader_resolve_links(BerthExt4Reader *reader);

/* Which file the last entry is. */
typedef struct {
    guint32 number;
    guint links; /* names it claims to have */
} BerthExt4Identity;

BerthExt4Identity berth_ext4_reader_identity(const BerthExt4Reader *reader);

/* An estimate of the files' bytes of data. */
guint64 berth_ext4_reader_used(const BerthExt4Reader *reader);

/* Counts of what was skipped so far. */
BerthExt4Skipped berth_ext4_reader_skipped(const BerthExt4Reader *reader);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * dirblock — encodes a directory in ext4's format from all its entries.
 *
 * One block of entries becomes a linear directory; more become an indexed one (htree), because the
 * kernel builds an index only when a directory outgrows its first block: a larger linear one would
 * stay slow.
 *
 *     linear             indexed
 *     +-----------+      +------------------+     +------------+     +-----------+
 *     | . .. a b c|      | . ..  root index | --> | node index | --> | a d       |  leaf
 *     +-----------+      +------------------+     +------------+     +-----------+
 *                              block 0        only if > 507 leaves    entries of one hash range
 *
 * Pure: no device, no library. Reserves checksums and leaves them zero; the writer fills them in,
 * since it knows the seed. Blocks are 4096 bytes, as everywhere in this module.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_BLOCK_SIZE 4096U

/* The type byte of a directory entry. */
typedef enum {
    BERTH_DIRENT_FILE = 1,
    BERTH_DIRENT_DIRECTORY = 2,
    BERTH_DIRENT_CHAR_DEVICE = 3,
    BERTH_DIRENT_BLOCK_DEVICE = 4,
    BERTH_DIRENT_FIFO = 5,
    BERTH_DIRENT_SOCKET = 6,
    BERTH_DIRENT_SYMLINK = 7,
} BerthDirentType;

typedef struct {
    const char *name; /* borrowed; 1..255 bytes */
    guint32 inode;
    guint8 type;
    guint32 hash; /* of the name, half MD4 with the file system's seed */
    guint32 minor_hash;
} BerthDirent;

/* Encode directory @self in @parent with @entries (BerthDirent, without "." and ".."; sorted in
 * place). Returns whole blocks, or NULL if there are more than a two-level index holds. */
GByteArray *berth_dirblock_encode(guint32 self, guint32 parent, GArray *entries, bool *ret_indexed);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * cache_entry — one image of the cache, as the file beside it describes it. Private to cache.c.
 *
 *     <key>/disk.ext4   the image
 *     <key>/about       a GKeyFile
 *
 * An archive is known by the identity of its file (device, inode, size and the times of its last
 * changes): asking for that takes no time, while a digest of the bytes takes longer than reading
 * most archives does. An entry may know several files whose bytes are the same.
 */
#pragma once

#include "cache.h"

#include <sys/stat.h>

G_BEGIN_DECLS

/* "DEVICE:INODE:SIZE:MTIME:CTIME"; NULL for what is no file, is not at its beginning, or changed so
 * lately that a further change might not show. Free with g_free. */
char *berth_cache_identity(int fd);

/* Read the entry in @directory, and open its image; NULL for what is not whole, or not as it was
 * written. */
BerthCacheEntry *berth_cache_entry_read(int directory, const char *key, int *ret_image);

/* Write "about" into @directory, in one step. 0, or an errno. */
int berth_cache_entry_write(int directory, const BerthCacheEntry *entry);

bool berth_cache_entry_knows(const BerthCacheEntry *entry, const char *identity);
void berth_cache_entry_learn(BerthCacheEntry *entry, const char *identity);

/* The image's facts as they are now. */
void berth_cache_entry_measure(BerthCacheEntry *entry, const struct stat *image);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * cache_entry — one image of the cache and the file that describes it. Private to cache.c.
 *
 *     <key>/disk.ext4   the image
 *     <key>/about       a GKeyFile
 *
 * An archive is identified by its file (device, inode, size, mtime and ctime), since a digest of
 * its bytes takes longer than reading most archives. An entry may have the identities of several
 * files with the same bytes.
 */
#pragma once

#include "cache.h"

#include <sys/stat.h>

G_BEGIN_DECLS

/* Format "DEVICE:INODE:SIZE:MTIME:CTIME". NULL if @fd is not a regular file, is not at offset 0, or
 * changed so recently that a later change might not be visible. Free with g_free. */
char *berth_cache_entry_identity(int fd);

/* Read the entry in @directory, and open its image; NULL if it is incomplete or was modified. */
BerthCacheEntry *berth_cache_entry_read(int directory, const char *key, int *ret_image);

/* Write "about" into @directory atomically. 0, or an errno. */
int berth_cache_entry_write(int directory, const BerthCacheEntry *entry);

bool berth_cache_entry_knows(const BerthCacheEntry *entry, const char *identity);
void berth_cache_entry_learn(BerthCacheEntry *entry, const char *identity);

/* Update the entry from the image's current state. */
void berth_cache_entry_measure(BerthCacheEntry *entry, const struct stat *image);

G_END_DECLS

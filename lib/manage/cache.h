/* SPDX-License-Identifier: MIT
 *
 * cache — caches images of imported archives, to be copied when the same archive is imported again.
 *
 * A cache is a directory that processes may use concurrently. A complete image is renamed into
 * place, and used only while it is unchanged. The key is the identity of the archive's file, or its
 * bytes while that file exists, plus the options that affect the image (its size, ...). The least
 * recently used images are evicted when the total exceeds the limit.
 *
 * No error here may fail an import: a failed lookup is a miss, and a failed addition a notice. If
 * the host's file system can share blocks, adding and copying take no time and no space. Otherwise
 * an image is kept only if making it took much longer than a copy: it occupies its size a second
 * time.
 *
 * Errors: errno's, "cache.*".
 */
#pragma once

#include "work.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    char *key;                /* the name of its directory */
    char *origin;             /* absolute path of the archive, or another name for it */
    char *options;            /* with which it was made */
    char **identities;        /* of the files known to contain the archive */
    guint64 archive_size;     /* bytes, compressed */
    guint64 entries;          /* of the archive */
    guint64 disk_size;        /* of the image, as a guest sees it */
    guint64 disk_used;        /* on the host, shared blocks included */
    gint64 disk_changed_nsec; /* the image's mtime */
    gint64 used_usec;         /* real time */
} BerthCacheEntry;

void berth_cache_entry_free(BerthCacheEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthCacheEntry, berth_cache_entry_free)

typedef struct {
    const char *directory; /* created on first use */
    guint64 limit;         /* bytes on the disk; 0: the cache is off */
} BerthCache;

/* An archive to be imported. */
typedef struct {
    int fd;
    const char *origin;
    const char *options;
    const char *digest; /* hex digits: the SHA-256 that it was checked to have; NULL: none */
    guint64 size;       /* bytes, where fd is negative */
    char *identity;     /* or NULL */
} BerthCacheArchive;

/* Compute the identity of @archive: its digest, which is that of another file with the same bytes,
 * too, or else its fd's; call before reading from it. Free `identity` with
 * g_free. */
void berth_cache_identify(const BerthCache *cache, BerthCacheArchive *archive);

/* Find the image made from @archive. Returns it open for reading, with its entry; -1 on a miss.
 * Files without a known identity are compared by bytes; @watch, which may be NULL, can cancel
 * that. */
int berth_cache_find(const BerthCache *cache, const BerthCacheArchive *archive,
                     const BerthWatch *watch, BerthCacheEntry **ret_entry);

/* Add @image, which was made from @archive in @made_usec, if that is worthwhile. */
bool berth_cache_keep(const BerthCache *cache, const BerthCacheArchive *archive, int image,
                      guint64 entries, gint64 made_usec, GError **error);

/* All images, BerthCacheEntry *, most recently used first; free with g_ptr_array_unref. */
GPtrArray *berth_cache_list(const BerthCache *cache);

/* Remove images over the limit, broken entries and leftovers of killed commands; everything if
 * @all. *@ret_count images of *@ret_freed bytes on the disk were removed. */
bool berth_cache_prune(const BerthCache *cache, bool all, guint *ret_count, guint64 *ret_freed,
                       GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * cache — images of imported archives, to be copied when the same archive is imported again.
 *
 * A cache is a directory; any number of processes may use it at once. A complete image is renamed
 * into place, and used only while it is unchanged. The key is the identity of the archive's file,
 * or its bytes while that file exists, plus the options that change the image (its size, ...). The
 * least recently used images are evicted when all of them exceed the limit.
 *
 * Nothing here may fail an import: what cannot be found is not there, and what cannot be kept is a
 * notice. Where the host's file system can share blocks, keeping and copying take no time and no
 * space. Where it cannot, an image is kept only if making it took much longer than a copy takes:
 * it takes its size on the disk a second time.
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
    char *origin;             /* absolute path of the archive, or what else it was called */
    char *options;            /* what it was made with */
    char **identities;        /* of the files it is known to be made of */
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
    const char *directory; /* made when it is needed */
    guint64 limit;         /* bytes on the disk; 0: nothing is kept or found */
} BerthCache;

/* An archive that is about to be imported. */
typedef struct {
    int fd;
    const char *origin;
    const char *options;
    char *identity; /* NULL: it has none */
} BerthCacheArchive;

/* Compute the identity of @archive's fd, before anything is read of it. Free `identity` with
 * g_free.
 */
void berth_cache_look(const BerthCache *cache, BerthCacheArchive *archive);

/* The image made of @archive, open for reading, and its entry; -1 when there is none. Files with
 * the same bytes are found by comparing them; @watch may stop that, and may be NULL. */
int berth_cache_find(const BerthCache *cache, const BerthCacheArchive *archive,
                     const BerthWatch *watch, BerthCacheEntry **ret_entry);

/* Keep the @image that was made of @archive in @made_usec, unless that is not worth it. */
bool berth_cache_keep(const BerthCache *cache, const BerthCacheArchive *archive, int image,
                      guint64 entries, gint64 made_usec, GError **error);

/* All images, BerthCacheEntry *, most recently used first; free with g_ptr_array_unref. */
GPtrArray *berth_cache_list(const BerthCache *cache);

/* Remove what is over the limit, what is not whole and what killed commands left; with @all
 * everything. *@ret_count images went, of *@ret_freed bytes on the disk. */
bool berth_cache_prune(const BerthCache *cache, bool all, guint *ret_count, guint64 *ret_freed,
                       GError **error);

G_END_DECLS

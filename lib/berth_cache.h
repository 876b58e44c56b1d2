/* SPDX-License-Identifier: MIT
 *
 * berth_cache — the images that are cached for the next import. A part of the public interface
 * (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

typedef struct {
    char *key;
    char *origin;         /* path of the archive */
    guint64 archive_size; /* bytes, compressed */
    guint64 disk_size;    /* as a guest would see it */
    guint64 disk_used;    /* on the host, including blocks shared with distros */
    gint64 used_usec;
} BerthCached;

void berth_cached_free(BerthCached *cached);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthCached, berth_cached_free)

/* The images cached for the next import of the same archive, BerthCached *, most recently used
 * first; free with g_ptr_array_unref. *@ret_directory and *@ret_limit are the cache's directory and
 * limit. */
GPtrArray *berth_cache_images(Berth *berth, char **ret_directory, guint64 *ret_limit,
                              GError **error);

/* Remove images over the limit and broken entries; all images if @all. *@ret_count images of
 * *@ret_freed bytes were removed. Errors: "cache.*", "config.*". */
bool berth_cache_clean(Berth *berth, bool all, guint *ret_count, guint64 *ret_freed,
                       GError **error);

G_END_DECLS

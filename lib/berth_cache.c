/* SPDX-License-Identifier: MIT
 *
 * The public functions about cached images, over lib/lifecycle.
 */
#include "berth_cache.h"

#include "lifecycle/handle.h"
#include "manage/cache.h"
#include "manage/download.h"

void berth_cached_free(BerthCached *cached)
{
    if (cached == NULL)
        return;
    g_free(cached->key);
    g_free(cached->origin);
    g_free(cached);
}

static bool open_cache(Berth *berth, char **ret_directory, guint64 *ret_limit, GError **error)
{
    g_autoptr(BerthSettings) settings = berth_handle_settings(berth, NULL, error);
    if (settings == NULL)
        return false;
    *ret_directory = berth_layout_images(berth->layout);
    *ret_limit = settings->cache_size;
    return true;
}

GPtrArray *berth_cache_images(Berth *berth, char **ret_directory, guint64 *ret_limit,
                              GError **error)
{
    if (!open_cache(berth, ret_directory, ret_limit, error))
        return NULL;
    const BerthCache cache = {.directory = *ret_directory, .limit = *ret_limit};
    g_autoptr(GPtrArray) entries = berth_cache_list(&cache);
    GPtrArray *images = g_ptr_array_new_with_free_func((GDestroyNotify)berth_cached_free);
    for (guint i = 0; i < entries->len; i++) {
        BerthCacheEntry *entry = entries->pdata[i];
        BerthCached *cached = g_new0(BerthCached, 1);
        cached->key = g_steal_pointer(&entry->key);
        cached->origin = g_steal_pointer(&entry->origin);
        cached->archive_size = entry->archive_size;
        cached->disk_size = entry->disk_size;
        cached->disk_used = entry->disk_used;
        cached->used_usec = entry->used_usec;
        g_ptr_array_add(images, cached);
    }
    return images;
}

bool berth_cache_clean(Berth *berth, bool all, guint *ret_count, guint64 *ret_freed, GError **error)
{
    g_autofree char *directory = NULL;
    guint64 limit = 0;
    if (!open_cache(berth, &directory, &limit, error))
        return false;
    const BerthCache cache = {.directory = directory, .limit = limit};
    guint downloads = 0;
    if (!berth_cache_prune(&cache, all, ret_count, ret_freed, error))
        return false;
    berth_download_prune(berth->layout, all, &downloads, ret_freed);
    return true;
}

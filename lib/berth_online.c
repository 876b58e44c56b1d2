/* SPDX-License-Identifier: MIT
 *
 * The public functions about distros that can be installed, over lib/lifecycle.
 */
#include "berth_online.h"

#include "lifecycle/install.h"

void berth_online_free(BerthOnline *online)
{
    if (online == NULL)
        return;
    g_free(online->flavour);
    g_free(online->name);
    g_free(online->title);
    g_free(online->url);
    g_free(online->image);
    g_free(online->sha256);
    g_free(online->sums);
    g_free(online->source);
    g_free(online);
}

static BerthOnline *copy_offer(const BerthOffer *offer)
{
    BerthOnline *online = g_new(BerthOnline, 1);
    *online = (BerthOnline){.flavour = g_strdup(offer->flavour),
                            .name = g_strdup(offer->name),
                            .title = g_strdup(offer->title),
                            .is_default = offer->is_default,
                            .url = g_strdup(offer->url),
                            .sha256 = g_strdup(offer->sha256),
                            .sums = g_strdup(offer->sums),
                            .source = g_strdup(offer->source),
                            .strip_root = offer->strip_root};
    return online;
}

static BerthCatalog *read_catalog(Berth *berth, const BerthOnlineWatch *watch, GError **error)
{
    const BerthWatch progress = {watch->progress, watch->user_data};
    BerthCatalog *catalog = berth_install_read(berth, &progress, error);
    for (guint i = 0; catalog != NULL && watch->notice != NULL && i < catalog->notices->len; i++)
        watch->notice(catalog->notices->pdata[i], watch->user_data);
    return catalog;
}

GPtrArray *berth_online(Berth *berth, const BerthOnlineWatch *watch, GError **error)
{
    g_autoptr(BerthCatalog) catalog = read_catalog(berth, watch, error);
    if (catalog == NULL)
        return NULL;
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)berth_online_free);
    for (guint i = 0; i < catalog->offers->len; i++)
        g_ptr_array_add(all, copy_offer(catalog->offers->pdata[i]));
    return all;
}

static BerthOnline *make_image(const char *word, GError **error)
{
    g_autoptr(BerthImageReference) reference = berth_image_reference_parse(word, error);
    if (reference == NULL)
        return NULL;
    BerthOnline *online = g_new(BerthOnline, 1);
    *online = (BerthOnline){.name = berth_image_reference_name(reference),
                            .image = berth_image_reference_format(reference)};
    return online;
}

static int open_image(Berth *berth, BerthOnline *online, const BerthWatch *watch, char **ret_path,
                      GError **error)
{
    g_autoptr(BerthImageReference) reference = berth_image_reference_parse(online->image, error);
    g_autofree char *digest = NULL;
    int fd = reference != NULL ? berth_image_download_open(berth->layout, reference, watch,
                                                           ret_path, &digest, error)
                               : -1;
    if (fd >= 0) {
        g_free(online->sha256);
        online->sha256 = g_steal_pointer(&digest);
    }
    return fd;
}

BerthOnline *berth_online_find(Berth *berth, const char *name, const BerthOnlineWatch *watch,
                               GError **error)
{
    if (berth_image_reference_is(name))
        return make_image(name, error);
    const BerthWatch progress = {watch->progress, watch->user_data};
    g_autoptr(BerthCatalog) catalog = berth_install_read(berth, &progress, error);
    const BerthOffer *offer = catalog != NULL ? berth_catalog_find(catalog, name, error) : NULL;
    return offer != NULL ? copy_offer(offer) : NULL;
}

int berth_online_open(Berth *berth, BerthOnline *online, const BerthOnlineWatch *watch,
                      char **ret_path, GError **error)
{
    const BerthOffer offer = {.flavour = online->flavour,
                              .name = online->name,
                              .title = online->title,
                              .url = online->url,
                              .sha256 = online->sha256,
                              .sums = online->sums,
                              .source = online->source};
    const BerthWatch progress = {watch->progress, watch->user_data};
    if (online->image != NULL)
        return open_image(berth, online, &progress, ret_path, error);
    return berth_catalog_open(berth->layout, &offer, &progress, ret_path, error);
}

bool berth_online_check_name(Berth *berth, const char *name, GError **error)
{
    return berth_install_check_name(berth, name, error);
}

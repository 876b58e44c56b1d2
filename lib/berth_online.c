/* SPDX-License-Identifier: MIT
 *
 * The public functions about distros that can be installed, over lib/lifecycle.
 */
#include "berth_online.h"

#include "berth_convert.h"
#include "lifecycle/install.h"

void berth_online_free(BerthOnline *online)
{
    if (online == NULL)
        return;
    g_free(online->flavour);
    g_free(online->name);
    g_free(online->title);
    g_free(online->url);
    g_strfreev(online->mirrors);
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
                            .mirrors = g_strdupv(offer->mirrors),
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

bool berth_online_import(Berth *berth, const BerthOnline *online, const BerthImport *import,
                         BerthImported *ret_imported, GError **error)
{
    const BerthImportOptions options = berth_import_options(import);
    const BerthOffer offer = {.url = online->url,
                              .mirrors = online->mirrors,
                              .sha256 = online->sha256,
                              .sums = online->sums};
    BerthImportReport report;
    if (!(online->image != NULL
              ? berth_install_image(berth, online->image, &options, &report, error)
              : berth_install_offer(berth, &offer, &options, &report, error)))
        return false;
    *ret_imported = berth_imported(&report);
    return true;
}

bool berth_online_check_name(Berth *berth, const char *name, GError **error)
{
    return berth_install_check_name(berth, name, error);
}

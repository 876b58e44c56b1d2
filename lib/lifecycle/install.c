/* SPDX-License-Identifier: MIT */
#include "install.h"

#include "base/error.h"

#define SIZE_MAX_OF_ARCHIVE (G_GUINT64_CONSTANT(64) << 30) /* bytes */

BerthCatalog *berth_install_read(Berth *berth, const BerthWatch *watch, GError **error)
{
    g_autoptr(BerthSettings) settings = berth_handle_settings(berth, NULL, error);
    if (settings == NULL)
        return NULL;
    return berth_catalog_read(berth->layout, (const char *const *)settings->distro_lists,
                              settings->distro_list, watch, error);
}

static bool on_download(guint64 done, guint64 total, gpointer user_data)
{
    const BerthImportOptions *import = user_data;
    return import->progress == NULL || import->progress(done, total, 0, import->user_data);
}

bool berth_install_offer(Berth *berth, const BerthOffer *offer, const BerthImportOptions *import,
                         BerthImportReport *ret_report, GError **error)
{
    const BerthWatch watch = {on_download, (gpointer)import};
    g_autofree char *sha256 = NULL;
    if (!berth_catalog_digest(berth->layout, offer, &watch, &sha256, error))
        return false;
    const BerthDownload download = {.url = offer->url,
                                    .mirrors = (const char *const *)offer->mirrors,
                                    .sha256 = sha256,
                                    .size_max = SIZE_MAX_OF_ARCHIVE};
    BerthImportOptions options = *import;
    options.download = &download;
    options.fd = -1;
    options.origin = offer->url;
    options.path = NULL;
    return berth_distros_import(berth, &options, ret_report, error);
}

bool berth_install_image(Berth *berth, const char *image, const BerthImportOptions *import,
                         BerthImportReport *ret_report, GError **error)
{
    const BerthWatch watch = {on_download, (gpointer)import};
    g_autoptr(BerthImageReference) reference = berth_image_reference_parse(image, error);
    g_autofree char *digest =
        reference != NULL ? berth_image_download_resolve(berth->layout, reference, &watch, error)
                          : NULL;
    if (digest == NULL)
        return false;
    const BerthDownload download = {.url = image, .sha256 = digest, .image = reference};
    BerthImportOptions options = *import;
    options.download = &download;
    options.fd = -1;
    options.origin = image;
    options.path = NULL;
    options.image = digest;
    return berth_distros_import(berth, &options, ret_report, error);
}

bool berth_install_check_name(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GError) problem = NULL;
    if (!berth_distro_check_name(name, error))
        return false;
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, &problem);
    if (distro == NULL && berth_error_is(problem, BERTH_ERROR_NOT_FOUND))
        return true;
    if (distro != NULL)
        berth_error_set(error, BERTH_ERROR_EXISTS, "registry.exists",
                        "choose another name with --name NAME", "there is a distro \"%s\" already",
                        distro->name);
    else
        g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

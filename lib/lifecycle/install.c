/* SPDX-License-Identifier: MIT */
#include "install.h"

#include "base/error.h"

BerthCatalog *berth_install_read(Berth *berth, const BerthWatch *watch, GError **error)
{
    g_autoptr(BerthSettings) settings = berth_handle_settings(berth, NULL, error);
    if (settings == NULL)
        return NULL;
    return berth_catalog_read(berth->layout, (const char *const *)settings->distro_lists,
                              settings->distro_list, watch, error);
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

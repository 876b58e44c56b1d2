/* SPDX-License-Identifier: MIT
 *
 * install — the lists of distros that the settings name, and the files behind them; images of
 * registries.
 *
 * Errors: "config.*"; those of manage/catalog.h and manage/image_download.h.
 */
#pragma once

#include "distros.h"
#include "handle.h"

#include "manage/catalog.h"
#include "manage/image_download.h"

G_BEGIN_DECLS

/* Read all lists. */
BerthCatalog *berth_install_read(Berth *berth, const BerthWatch *watch, GError **error);

/* Make a distro of what is behind @offer. @import->fd and path are not used. Errors: those of
 * berth_distros_import, "fetch.*". */
bool berth_install_offer(Berth *berth, const BerthOffer *offer, const BerthImportOptions *import,
                         BerthImportReport *ret_report, GError **error);

/* The same of the container image @image, as its name is written. */
bool berth_install_image(Berth *berth, const char *image, const BerthImportOptions *import,
                         BerthImportReport *ret_report, GError **error);

/* Whether a distro may be made with @name, before anything is downloaded. Errors: "name.invalid",
 * "registry.exists". */
bool berth_install_check_name(Berth *berth, const char *name, GError **error);

G_END_DECLS

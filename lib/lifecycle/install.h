/* SPDX-License-Identifier: MIT
 *
 * install — the lists of distros that the settings name, and the files behind them; images of
 * registries.
 *
 * Errors: "config.*"; those of manage/catalog.h.
 */
#pragma once

#include "handle.h"

#include "manage/catalog.h"
#include "manage/image_download.h"

G_BEGIN_DECLS

/* Read all lists. */
BerthCatalog *berth_install_read(Berth *berth, const BerthWatch *watch, GError **error);

/* Whether a distro may be made with @name, before anything is downloaded. Errors: "name.invalid",
 * "registry.exists". */
bool berth_install_check_name(Berth *berth, const char *name, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * berth_convert — the public structs of an import as lifecycle's, for berth_archive.c and
 * berth_online.c. Not a public header.
 */
#pragma once

#include "berth_archive.h"

#include "lifecycle/distros.h"

/* Borrows what @import has. */
BerthImportOptions berth_import_options(const BerthImport *import);

BerthImported berth_imported(const BerthImportReport *report);

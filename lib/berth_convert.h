/* SPDX-License-Identifier: MIT
 *
 * berth_convert — the public structs of an import and of usage as lifecycle's, for several files.
 * Not a public header.
 */
#pragma once

#include "berth_archive.h"
#include "berth_usage.h"

#include "lifecycle/distros.h"
#include "model/guest_use.h"

/* Borrows what @import has. */
BerthImportOptions berth_import_options(const BerthImport *import);

BerthImported berth_imported(const BerthImportReport *report);

BerthDistroUse berth_convert_use(const BerthGuestUse *use);

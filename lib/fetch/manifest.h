/* SPDX-License-Identifier: MIT
 *
 * manifest — WSL's list of distros (DistributionInfo.json) as the lines of model/offer.h.
 *
 * Only "ModernDistributions" counts; the older entries are packages for Windows. Entries without a
 * file for the architecture are left out, members that are not known are ignored. A file may have
 * "Mirrors", an array of further URLs, which is berth's own.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_FETCH_MANIFEST_MAX ((gsize)4 << 20) /* bytes of a manifest */

/* The lines of @json for @architecture ("Amd64"); NULL if it is no manifest. Free with g_free.
 * Errors: BERTH_ERROR_INVALID, "fetch.manifest". */
char *berth_fetch_manifest_lines(const char *json, gsize size, const char *architecture,
                                 GError **error);

G_END_DECLS

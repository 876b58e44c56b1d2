/* SPDX-License-Identifier: MIT
 *
 * image — a container image of a registry as the tar of an OCI image layout.
 *
 * Reads the index, chooses the image for this machine's platform, and downloads its layers, four
 * at once, to their places in the tar. What disk/layers needs to check all of it against the digest
 * of the first document is in the tar.
 *
 * Errors: those of registry.h, layout.h and disk/oci; BERTH_ERROR_INVALID,
 * "fetch.image.media-type", "fetch.image.too-many".
 */
#pragma once

#include "registry.h"

G_BEGIN_DECLS

/* The size and digest of the manifest or index that @reference, a tag, names now. */
bool berth_fetch_image_resolve(BerthFetchRegistry *registry, const char *reference,
                               BerthFetchReport *ret_report, GError **error);

/* Write the image @reference ("sha256:DIGITS") into the registry's output, an empty file.
 * @architecture is OCI's name; NULL: the host's. *@ret_report has the file's size. */
bool berth_fetch_image_get(BerthFetchRegistry *registry, const char *reference,
                           const char *architecture, BerthProgressFunc progress, gpointer user_data,
                           BerthFetchReport *ret_report, GError **error);

G_END_DECLS

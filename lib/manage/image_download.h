/* SPDX-License-Identifier: MIT
 *
 * image_download — opens a container image of a registry as an archive: downloaded by berth-fetch,
 * or kept from before, by the digest of its manifest or index.
 *
 * The file is the tar of an OCI image layout, which has no name until it is complete. Nothing in it
 * is believed here: berth_manage_import checks it against the digest (BerthImportRequest.image), a
 * kept one, too.
 *
 * Errors: those of lib/fetch/image.h, "fetch.cancelled"; errno's, "fetch.open.*"; worker.h's.
 */
#pragma once

#include "model/image_reference.h"
#include "store/layout.h"
#include "work.h"

G_BEGIN_DECLS

/* The archive of @reference, open for reading at its beginning; -1 on error. *@ret_path is its
 * absolute path, *@ret_digest the digits of the image's digest; free with g_free. */
int berth_image_download_open(const BerthLayout *layout, const BerthImageReference *reference,
                              const BerthWatch *watch, char **ret_path, char **ret_digest,
                              GError **error);

G_END_DECLS

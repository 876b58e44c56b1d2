/* SPDX-License-Identifier: MIT
 *
 * image_download — container images of registries, read by berth-fetch.
 *
 * An image is the tar of an OCI image layout. Nothing in it is believed here: berth-image checks it
 * against the digest (BerthImportRequest.image), a kept one, too. feed.h downloads one.
 *
 * Errors: those of lib/fetch/image.h, "fetch.cancelled"; worker.h's.
 */
#pragma once

#include "model/image_reference.h"
#include "store/layout.h"
#include "work.h"

G_BEGIN_DECLS

/* The digits of the digest of what @reference means now. Free with g_free. */
char *berth_image_download_resolve(const BerthLayout *layout, const BerthImageReference *reference,
                                   const BerthWatch *watch, GError **error);

G_END_DECLS

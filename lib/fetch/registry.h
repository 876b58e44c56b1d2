/* SPDX-License-Identifier: MIT
 *
 * registry — reads manifests and blobs of one repository by the OCI distribution specification,
 * as anybody may.
 *
 * A token is fetched when the registry asks for one, from where it says: by TLS, or on this machine
 * if the registry is on it. The token goes to the registry alone. Several threads may read at once.
 * Messages begin with the URL.
 *
 * Errors: those of get.h; BERTH_ERROR_NOT_FOUND, "fetch.image.missing"; BERTH_ERROR_DENIED,
 * "fetch.image.denied"; BERTH_ERROR_INVALID, "fetch.image.token", "fetch.image.size".
 */
#pragma once

#include "get.h"

#include "disk/oci/oci.h"

G_BEGIN_DECLS

typedef struct {
    const char *base;       /* "https://registry-1.docker.io" */
    const char *repository; /* "library/debian" */
    BerthFetchRequest how;  /* its limits and descriptors; all of it is borrowed */

    GMutex resolving;
    GMutex lock; /* of what follows */
    char *token; /* or NULL */
} BerthFetchRegistry;

void berth_fetch_registry_init(BerthFetchRegistry *registry, const char *base,
                               const char *repository, const BerthFetchRequest *how);
void berth_fetch_registry_clear(BerthFetchRegistry *registry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthFetchRegistry, berth_fetch_registry_clear)

/* The manifest or index called @reference, a tag or "sha256:DIGITS". *@ret_type is its media type
 * as the registry states it. Free with g_byte_array_unref. */
GByteArray *berth_fetch_registry_manifest(BerthFetchRegistry *registry, const char *reference,
                                          char **ret_type, GError **error);

/* The document of @descriptor, an index or manifest or another blob, checked against its digest
 * and size. */
GByteArray *berth_fetch_registry_document(BerthFetchRegistry *registry,
                                          const BerthOciDescriptor *descriptor, GError **error);

/* Write the blob of @descriptor at @offset of the output, and check it. */
bool berth_fetch_registry_blob(BerthFetchRegistry *registry, const BerthOciDescriptor *descriptor,
                               guint64 offset, BerthProgressFunc progress, gpointer user_data,
                               GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * blobs — finds the blobs of a container image in a plain tar by digest, and verifies them.
 *
 * Blobs are the members blobs/sha256/DIGITS of an OCI image layout. Documents (the JSON blobs) are
 * read whole.
 *
 * Ownership: fd and index are borrowed. Errors: BERTH_ERROR_INVALID, "import.image.size",
 * "import.image.digest", "import.image.too-large"; those of berth_tarindex_find(). Messages begin
 * with the member's name.
 */
#pragma once

#include "disk/oci/oci.h"

#include "disk/archive/tarindex.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_BLOBS "blobs/sha256/"

typedef struct {
    int fd;
    const BerthTarIndex *index;
} BerthBlobs;

/* The path of the blob with the digits @digest. Free with g_free. */
char *berth_blobs_path(const char *digest);

/* Find the blob of @descriptor and check its size. */
bool berth_blobs_find(const BerthBlobs *blobs, const BerthOciDescriptor *descriptor,
                      BerthTarRange *ret_range, GError **error);

/* The document of @descriptor. Free with g_free. */
char *berth_blobs_read(const BerthBlobs *blobs, const BerthOciDescriptor *descriptor,
                       gsize *ret_size, GError **error);

/* The document @path, whose SHA-256 has the digits @digest (NULL: not stated). Free with g_free. */
char *berth_blobs_read_member(const BerthBlobs *blobs, const char *path, const char *digest,
                              gsize *ret_size, GError **error);

G_END_DECLS

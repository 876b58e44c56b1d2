/* SPDX-License-Identifier: MIT */
#include "blobs.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SAVE_AGAIN "save or fetch the image again"

static bool read_range(const BerthBlobs *blobs, const BerthTarRange *range, char *data,
                       GError **error)
{
    for (gsize done = 0; done < range->size;) {
        ssize_t got =
            pread(blobs->fd, data + done, range->size - done, (off_t)(range->offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            berth_error_set_errno(error, got < 0 ? errno : EIO, "import.read", "read the archive");
            return false;
        }
        done += (gsize)got;
    }
    return true;
}

char *berth_blobs_read_member(const BerthBlobs *blobs, const char *path, const char *digest,
                              gsize *ret_size, GError **error)
{
    BerthTarRange range;
    if (!berth_tarindex_find(blobs->index, path, &range, error))
        return NULL;
    if (range.size > BERTH_OCI_DOCUMENT_MAX) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.image.too-large", NULL,
                        "%s: it is larger than 4 MiB", path);
        return NULL;
    }

    g_autofree char *data = g_malloc(range.size + 1);
    if (!read_range(blobs, &range, data, error))
        return NULL;
    g_autofree char *sum =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)data, range.size);
    if (digest != NULL && strcmp(sum, digest) != 0) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.image.digest", SAVE_AGAIN,
                        "%s: its bytes do not match its digest", path);
        return NULL;
    }
    *ret_size = range.size;
    return g_steal_pointer(&data);
}

char *berth_blobs_path(const char *digest)
{
    return g_strconcat(BERTH_BLOBS, digest, NULL);
}

bool berth_blobs_find(const BerthBlobs *blobs, const BerthOciDescriptor *descriptor,
                      BerthTarRange *ret_range, GError **error)
{
    BerthTarRange range;
    g_autofree char *path = berth_blobs_path(descriptor->digest);
    if (!berth_tarindex_find(blobs->index, path, &range, error))
        return false;
    if (range.size != descriptor->size) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.image.size", SAVE_AGAIN,
                        "%s: it has %" G_GUINT64_FORMAT " bytes instead of %" G_GUINT64_FORMAT,
                        path, range.size, descriptor->size);
        return false;
    }
    *ret_range = range;
    return true;
}

char *berth_blobs_read(const BerthBlobs *blobs, const BerthOciDescriptor *descriptor,
                       gsize *ret_size, GError **error)
{
    BerthTarRange range;
    g_autofree char *path = berth_blobs_path(descriptor->digest);
    return berth_blobs_find(blobs, descriptor, &range, error)
               ? berth_blobs_read_member(blobs, path, descriptor->digest, ret_size, error)
               : NULL;
}

/* SPDX-License-Identifier: MIT
 *
 * layers — the layers of a container image in a plain tar, each opened as a tar.
 *
 *     index -> oci (index.json -> index -> manifest -> config; or manifest.json -> config)
 *           -> layers, the lowest first -> tar
 *
 * Supports OCI image layouts and `docker save` archives, which are layouts too since Docker 25. Of
 * several platforms it opens the requested one; several images are an error.
 *
 * With `digest`, accepts nothing but a layout whose index.json names that one manifest or index.
 *
 * Verifies the size and SHA-256 of documents and layers against their descriptors, and the SHA-256
 * of uncompressed layers against the config. Reads blobs from blobs/sha256/DIGITS only.
 *
 * Ownership: the fd is borrowed and its offset unchanged. One thread.
 *
 * Errors: BERTH_ERROR_INVALID with ids "import.image.*": bad-json, bad-digest, size, digest,
 * diff-id, media-type, platform, several, too-large, too-many, too-old; BERTH_ERROR_NOT_FOUND,
 * "import.image.missing"; those of tar.h. Messages begin with the archive's name.
 */
#pragma once

#include "disk/archive/tar.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    char *reference; /* its name in the archive, or NULL */
    char *platform;  /* "linux/amd64" */
    char *created;   /* RFC 3339, or NULL */
    guint layers;
} BerthImageOrigin;

void berth_image_origin_clear(BerthImageOrigin *origin);

/* "container image debian:12 (linux/amd64, 3 layers, 2023-11-14)", printable. Free with g_free. */
char *berth_image_origin_describe(const BerthImageOrigin *origin);

/* Whether a tar that begins with @head may hold an image, to be checked by berth_layers_open().
 * False for almost every root file system. Pure. */
bool berth_layers_probe(const guint8 *head, gsize size);

typedef struct BerthLayers BerthLayers;

typedef struct {
    const char *name;         /* the archive's name in messages */
    const char *architecture; /* OCI's name, possibly with a variant ("arm/v7"); NULL: the host's */
    const char *digest;       /* digits: the only image or index that the archive may name; NULL:
                                 any */
    int fd;
    guint64 offset; /* of the tar in the fd */
    guint64 length;
    BerthGrowth *growth; /* documents and headers are there, and of layers as much as this says;
                            borrowed. NULL: the file is complete */
} BerthLayersInput;

/* *ret_layers is NULL if the tar contains no image. */
bool berth_layers_open(const BerthLayersInput *input, BerthLayers **ret_layers, GError **error);
void berth_layers_free(BerthLayers *layers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthLayers, berth_layers_free)

const BerthImageOrigin *berth_layers_origin(const BerthLayers *layers);

/* The compressed size of all layers in bytes. */
guint64 berth_layers_size(const BerthLayers *layers);

/* Open the next layer, starting with the lowest; *ret_tar is NULL after the last. The caller frees
 * it, after reading it to its end and before the next call, which checks its digests. */
bool berth_layers_next(BerthLayers *layers, BerthTar **ret_tar, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * layers — the layers of a container image that lies in a plain tar, each as a tar of its own.
 *
 *     index -> oci (index.json -> index -> manifest -> config; or manifest.json -> config)
 *           -> layers, the lowest first -> tar
 *
 * Known are OCI image layouts, and what `docker save` writes: since Docker 25 that is a layout too,
 * and read as one. An archive of several platforms gives the one asked for; of several images none.
 *
 * Nothing is believed: documents and layers have the size and the SHA-256 their descriptor states,
 * layers also the one of their uncompressed bytes that the image's config states. Blobs are looked
 * for at blobs/sha256/DIGITS and nowhere else.
 *
 * Ownership: the fd is borrowed, its position is left alone. One thread.
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
    char *reference; /* the name the archive has for it, or NULL */
    char *platform;  /* "linux/amd64" */
    char *created;   /* RFC 3339, or NULL */
    guint layers;
} BerthImageOrigin;

void berth_image_origin_clear(BerthImageOrigin *origin);

/* "container image debian:12 (linux/amd64, 3 layers, 2023-11-14)", printable. Free with g_free. */
char *berth_image_origin_words(const BerthImageOrigin *origin);

/* Whether a tar that begins with @head is to be looked at by berth_layers_open(): says no for next
 * to every root file system. Pure. */
bool berth_layers_probe(const guint8 *head, gsize size);

typedef struct BerthLayers BerthLayers;

typedef struct {
    const char *name; /* what messages call the archive */
    const char
        *architecture; /* as OCI calls it, also with a variant ("arm/v7"); NULL: the host's */
    int fd;
    guint64 offset; /* of the tar in the fd */
    guint64 length;
} BerthLayersInput;

/* *ret_layers is NULL when the tar is none of an image. */
bool berth_layers_open(const BerthLayersInput *input, BerthLayers **ret_layers, GError **error);
void berth_layers_free(BerthLayers *layers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthLayers, berth_layers_free)

const BerthImageOrigin *berth_layers_origin(const BerthLayers *layers);

/* Bytes of all layers, as they are compressed. */
guint64 berth_layers_size(const BerthLayers *layers);

/* The next layer, the lowest first; *ret_tar is NULL after the last. The caller frees it, after
 * reading it to its end and before the next call, which checks its digests. */
bool berth_layers_next(BerthLayers *layers, BerthTar **ret_tar, GError **error);

G_END_DECLS

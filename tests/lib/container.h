/* SPDX-License-Identifier: MIT
 *
 * container — writes valid and malformed archives of container images: OCI layouts, and the `docker
 * save` format before Docker 25. Blobs come in reverse layer order.
 */
#pragma once

#include "tarball.h"

#include <glib.h>
#include <stdbool.h>

#define CONTAINER_LAYER    "application/vnd.oci.image.layer.v1.tar"
#define CONTAINER_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define CONTAINER_INDEX    "application/vnd.oci.image.index.v1+json"
#define CONTAINER_CONFIG   "application/vnd.oci.image.config.v1+json"

typedef struct {
    const char *const *filter; /* the program that compresses layers; NULL: none */
    const char *media_type;    /* of layers; NULL: CONTAINER_LAYER */
    const char *config_type;   /* NULL: CONTAINER_CONFIG */
    const char *architecture;  /* NULL: amd64 */
    const char *variant;
    const char *reference;
    guint nesting;    /* indexes around the manifest */
    bool no_platform; /* the manifest's descriptor does not state it */

    /* Defects of the top layer. */
    const char *digest;  /* stated instead of the real one */
    const char *diff_id; /* stated instead of the real one */
    gint size_added;     /* added to the stated size */
    gsize cut;           /* bytes missing at its end; digest and size are those of the rest */
    bool missing;        /* omit the blob */
    bool uncounted;      /* omit it from the config */
} Container;

/* The digits of a SHA-256. Free with g_free. */
char *container_digits(const void *data, gsize size);

/* Append a blob under its digest. Returns its descriptor, with @extra ("", or ",\"key\":...")
 * inside. */
char *container_add_blob(GByteArray *outer, const char *media_type, const void *data, gsize size,
                         const char *extra);

/* Append an image of @layers (GByteArray, the lowest first, each a complete tar). Returns the
 * descriptor of its manifest, or of the index around it. */
char *container_add_image(GByteArray *outer, const GPtrArray *layers, const Container *options);

/* Complete a layout: append index.json with @descriptors (joined by commas) and oci-layout. */
void container_end_layout(GByteArray *outer, const char *descriptors);

/* Make a layout with one image. */
GByteArray *container_new_layout(const GPtrArray *layers, const Container *options);

/* Make an image as old Docker versions saved it; a layer with the bytes of an earlier one is a
 * symbolic link to it. */
GByteArray *container_new_saved(const GPtrArray *layers, const Container *options);

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

    /* Defects of the uppermost layer. */
    const char *digest;  /* stated, instead of its own */
    const char *diff_id; /* stated, instead of its own */
    gint size_added;     /* to the stated size */
    gsize cut;           /* bytes missing at its end, which digest and size know of */
    bool missing;        /* the blob is not there */
    bool uncounted;      /* the config does not list it */
} Container;

/* The digits of a SHA-256. Free with g_free. */
char *container_digits(const void *data, gsize size);

/* Append a blob under its digest. Its descriptor, with @extra ("", or ",\"key\":...") inside. */
char *container_add_blob(GByteArray *outer, const char *media_type, const void *data, gsize size,
                         const char *extra);

/* Append an image of @layers (GByteArray, the lowest first, each an ended tar). The descriptor of
 * its manifest, or of the index around it. */
char *container_add_image(GByteArray *outer, const GPtrArray *layers, const Container *options);

/* Append what makes a layout of it: index.json with @descriptors (joined by commas), oci-layout. */
void container_end_layout(GByteArray *outer, const char *descriptors);

/* A layout with one image. */
GByteArray *container_new_layout(const GPtrArray *layers, const Container *options);

/* One image as old Dockers saved it; a layer with the same bytes as an earlier one is a symbolic
 * link to it. */
GByteArray *container_new_saved(const GPtrArray *layers, const Container *options);

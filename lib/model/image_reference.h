/* SPDX-License-Identifier: MIT
 *
 * image_reference — the name of a container image in a registry, as docker takes it.
 *
 *     [oci:][REGISTRY/]PATH[:TAG][@sha256:DIGITS]
 *
 * The first component is a registry if it has a dot, a colon or a capital, or is "localhost".
 * Defaults: the registry docker.io, there "library/" before a PATH of one component, and the tag
 * "latest". A digest makes the tag meaningless. Pure; owns its strings.
 *
 * Errors: BERTH_ERROR_INVALID, "image.reference".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    char *registry;   /* "docker.io", "localhost:5000" */
    char *repository; /* "library/debian" */
    char *tag;        /* NULL if there is only a digest */
    char *digest;     /* 64 lower-case hexadecimal digits, or NULL */
} BerthImageReference;

void berth_image_reference_free(BerthImageReference *reference);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthImageReference, berth_image_reference_free)

/* Whether the user means an image by @word, not a distro of a list: it begins with "oci:", or has a
 * slash, a colon or an at sign, which no distro's name has. */
bool berth_image_reference_is(const char *word);

BerthImageReference *berth_image_reference_parse(const char *word, GError **error);

/* All of it: "docker.io/library/debian:12". Free with g_free. */
char *berth_image_reference_format(const BerthImageReference *reference);

/* A name for the distro made of it: "debian-12", or "debian" for the tag "latest". May not be a
 * valid one. Free with g_free. */
char *berth_image_reference_name(const BerthImageReference *reference);

/* Where the registry answers: "https://registry-1.docker.io". Plain http only if the registry is
 * "localhost" or a loopback address. Free with g_free. */
char *berth_image_reference_base(const BerthImageReference *reference);

G_END_DECLS

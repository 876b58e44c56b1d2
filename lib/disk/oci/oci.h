/* SPDX-License-Identifier: MIT
 *
 * oci — parses the JSON documents of a container image. Pure: bytes in, values out.
 *
 * Formats: the OCI image specification 1.1 (index, manifest, config), Docker's image manifest
 * version 2 schema 2, which differs in media types only, and the manifest.json of `docker save`; of
 * a registry the list of tags and the answer with a token. Ignores what is not needed to find and
 * verify the layers.
 *
 * Digests are "sha256:" and 64 lower-case hex digits, nothing else; here they are the digits alone,
 * so a path built from one cannot escape. Media types that a document leaves out are "".
 *
 * Errors: BERTH_ERROR_INVALID, "import.image.bad-json" (with what is wrong) and
 * "import.image.bad-digest". The messages do not name the document; callers prefix it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_OCI_DOCUMENT_MAX (4U << 20) /* bytes; registries have the same limit */
#define BERTH_OCI_DIGITS       64U

typedef enum {
    BERTH_OCI_OTHER,
    BERTH_OCI_INDEX,
    BERTH_OCI_MANIFEST,
    BERTH_OCI_CONFIG,
    BERTH_OCI_LAYER,
    BERTH_OCI_FOREIGN_LAYER, /* must be downloaded from elsewhere: Windows' base layers */
    BERTH_OCI_ENCRYPTED_LAYER,
} BerthOciKind;

BerthOciKind berth_oci_kind(const char *media_type);

/* As stated by a document: any member may be NULL. */
typedef struct {
    char *os;
    char *architecture; /* Go's names, with aliases replaced: amd64, arm64 */
    char *variant;
} BerthOciPlatform;

void berth_oci_platform_clear(BerthOciPlatform *platform);

/* The architecture of this machine. */
const char *berth_oci_host_architecture(void);

/* How well @platform runs on @wanted ("amd64", "arm/v7"): 0 is not at all, more is better. */
guint berth_oci_platform_rank(const BerthOciPlatform *platform, const char *wanted);

/* Format as "linux/arm/v7", with "?" for missing parts. Free with g_free. */
char *berth_oci_platform_format(const BerthOciPlatform *platform);

typedef struct {
    char *media_type;
    char *digest;
    guint64 size;
    BerthOciPlatform platform;
    char *reference;  /* its name in the archive, or NULL */
    bool attestation; /* describes another image: a signature, an SBOM */
} BerthOciDescriptor;

void berth_oci_descriptor_free(BerthOciDescriptor *descriptor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthOciDescriptor, berth_oci_descriptor_free)

/* The BerthOciDescriptors of an index. Free with g_ptr_array_unref. */
GPtrArray *berth_oci_parse_index(const char *json, gsize size, GError **error);

typedef struct {
    BerthOciDescriptor *config;
    GPtrArray *layers; /* BerthOciDescriptor, the lowest first */
} BerthOciManifest;

void berth_oci_manifest_free(BerthOciManifest *manifest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthOciManifest, berth_oci_manifest_free)
BerthOciManifest *berth_oci_parse_manifest(const char *json, gsize size, GError **error);

typedef struct {
    BerthOciPlatform platform;
    char *created;       /* RFC 3339, or NULL */
    GPtrArray *diff_ids; /* digits: of the layers' uncompressed bytes, the lowest first */
} BerthOciConfig;

void berth_oci_config_free(BerthOciConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthOciConfig, berth_oci_config_free)
BerthOciConfig *berth_oci_parse_config(const char *json, gsize size, GError **error);

/* One image of a `docker save`: members of the archive. */
typedef struct {
    char *config;
    GPtrArray *layers; /* char *, the lowest first */
    char *reference;   /* its first tag, or NULL */
} BerthOciSaved;

void berth_oci_saved_free(BerthOciSaved *saved);

/* The BerthOciSaveds of a manifest.json. Free with g_ptr_array_unref. */
GPtrArray *berth_oci_parse_saved(const char *json, gsize size, GError **error);

/* Check that @json is an oci-layout file of a supported version. */
bool berth_oci_check_layout(const char *json, gsize size, GError **error);

/* The tags of a registry's tags/list, char *. Free with g_ptr_array_unref. */
GPtrArray *berth_oci_parse_tags(const char *json, gsize size, GError **error);

/* The token in a registry's answer, as it is. Free with g_free. */
char *berth_oci_parse_token(const char *json, gsize size, GError **error);

/* The digits of "sha256:DIGITS" within @text, or NULL. */
const char *berth_oci_digits(const char *text);

G_END_DECLS

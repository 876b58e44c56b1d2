/* SPDX-License-Identifier: MIT */
#include "oci.h"

#include "base/error.h"
#include "json/json_reader.h"

#include <string.h>

#define DEPTH_LIMIT 32 /* real documents have five or so */
#define SHA256      "sha256:"
#define SAVE_AGAIN  "save or fetch the image again"

#define REFERENCE            "org.opencontainers.image.ref.name"
#define REFERENCE_CONTAINERD "io.containerd.image.name"
#define REFERENCE_TYPE       "vnd.docker.reference.type"

BerthOciKind berth_oci_kind(const char *media_type)
{
    static const struct {
        const char *prefix; /* without suffixes such as "+gzip" and ".gzip" */
        BerthOciKind kind;
    } kinds[] = {
        {"application/vnd.oci.image.index.v1+json", BERTH_OCI_INDEX},
        {"application/vnd.docker.distribution.manifest.list.v2+json", BERTH_OCI_INDEX},
        {"application/vnd.oci.image.manifest.v1+json", BERTH_OCI_MANIFEST},
        {"application/vnd.docker.distribution.manifest.v2+json", BERTH_OCI_MANIFEST},
        {"application/vnd.oci.image.config.v1+json", BERTH_OCI_CONFIG},
        {"application/vnd.docker.container.image.v1+json", BERTH_OCI_CONFIG},
        {"application/vnd.oci.image.layer.v1.tar", BERTH_OCI_LAYER},
        {"application/vnd.docker.image.rootfs.diff.tar", BERTH_OCI_LAYER},
        {"application/vnd.oci.image.layer.nondistributable.v1.tar", BERTH_OCI_FOREIGN_LAYER},
        {"application/vnd.docker.image.rootfs.foreign.diff.tar", BERTH_OCI_FOREIGN_LAYER},
    };
    static const char *const suffixes[] = {"", "+gzip", "+zstd", ".gzip", ".zstd", NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!g_str_has_prefix(media_type, kinds[i].prefix))
            continue;
        const char *suffix = media_type + strlen(kinds[i].prefix);
        if (kinds[i].kind == BERTH_OCI_LAYER && g_str_has_suffix(suffix, "+encrypted"))
            return BERTH_OCI_ENCRYPTED_LAYER;
        bool layer = kinds[i].kind == BERTH_OCI_LAYER || kinds[i].kind == BERTH_OCI_FOREIGN_LAYER;
        return g_strv_contains(suffixes, suffix) && (layer || *suffix == '\0') ? kinds[i].kind
                                                                               : BERTH_OCI_OTHER;
    }
    return BERTH_OCI_OTHER;
}

/* --- platforms --- */

void berth_oci_platform_clear(BerthOciPlatform *platform)
{
    g_free(platform->os);
    g_free(platform->architecture);
    g_free(platform->variant);
    *platform = (BerthOciPlatform){0};
}

static const char *usual_architecture(const char *name)
{
    static const char *const others[][2] = {
        {"x86_64", "amd64"}, {"x86-64", "amd64"}, {"aarch64", "arm64"}, {"i386", "386"},
        {"i686", "386"},     {"armhf", "arm"},    {"armel", "arm"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        if (strcmp(name, others[i][0]) == 0)
            return others[i][1];
    }
    return name;
}

const char *berth_oci_host_architecture(void)
{
#if defined(__x86_64__)
    return "amd64";
#elif defined(__aarch64__)
    return "arm64";
#elif defined(__riscv) && __riscv_xlen == 64
    return "riscv64";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
    return "ppc64le";
#elif defined(__s390x__)
    return "s390x";
#elif defined(__loongarch64)
    return "loong64";
#elif defined(__arm__)
    return "arm";
#else
    return "386";
#endif
}

/* Whether every machine of the architecture can run this variant, so that it equals no variant. */
static bool is_base_variant(const char *architecture, const char *variant)
{
    return (strcmp(architecture, "arm64") == 0 && strcmp(variant, "v8") == 0) ||
           (strcmp(architecture, "amd64") == 0 && strcmp(variant, "v1") == 0);
}

guint berth_oci_platform_rank(const BerthOciPlatform *platform, const char *wanted)
{
    g_auto(GStrv) parts = g_strsplit(wanted, "/", 2);
    if (parts[0] == NULL || platform->architecture == NULL ||
        (platform->os != NULL && strcmp(platform->os, "linux") != 0) ||
        strcmp(platform->architecture, usual_architecture(parts[0])) != 0)
        return 0;

    const char *variant = platform->variant != NULL ? platform->variant : "";
    const char *asked = parts[1] != NULL ? parts[1] : "";
    if (strcmp(variant, asked) == 0)
        return 3;
    if (variant[0] == '\0' || is_base_variant(platform->architecture, variant))
        return 2;
    return asked[0] == '\0' ? 1 : 0; /* it may need CPU features that this machine lacks */
}

char *berth_oci_platform_format(const BerthOciPlatform *platform)
{
    const char *os = platform->os != NULL ? platform->os : "?";
    const char *architecture = platform->architecture != NULL ? platform->architecture : "?";
    return platform->variant != NULL
               ? g_strdup_printf("%s/%s/%s", os, architecture, platform->variant)
               : g_strdup_printf("%s/%s", os, architecture);
}

/* --- JSON --- */

static bool fail(GError **error, const char *message)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "import.image.bad-json", SAVE_AGAIN, "%s", message);
    return false;
}

static JsonNode *parse(const char *json, gsize size, JsonNodeType type, GError **error)
{
    g_autofree char *problem = NULL;
    g_autoptr(JsonNode) root = berth_json_read(json, size, DEPTH_LIMIT, NULL, &problem);
    if (root == NULL)
        return fail(error, problem), NULL;
    if (json_node_get_node_type(root) != type)
        return fail(error, type == JSON_NODE_ARRAY ? "it is not a list" : "it is not an object"),
               NULL;
    return g_steal_pointer(&root);
}

/* A list of non-empty strings; NULL if the member is anything else. */
static GPtrArray *get_strings(JsonObject *object, const char *name)
{
    JsonArray *array = berth_json_array(object, name);
    if (array == NULL)
        return NULL;
    g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < json_array_get_length(array); i++) {
        JsonNode *node = json_array_get_element(array, i);
        const char *text = berth_json_text(node);
        if (text == NULL || text[0] == '\0')
            return NULL;
        g_ptr_array_add(strings, g_strdup(text));
    }
    return g_steal_pointer(&strings);
}

/* An empty string counts as absent. */
static char *get_word(JsonObject *object, const char *name)
{
    const char *word = berth_json_string(object, name);
    return word == NULL || word[0] == '\0' ? NULL : g_strdup(word);
}

static BerthOciPlatform get_platform(JsonObject *object)
{
    g_autofree char *architecture = get_word(object, "architecture");
    return (BerthOciPlatform){
        .os = get_word(object, "os"),
        .architecture = architecture != NULL ? g_strdup(usual_architecture(architecture)) : NULL,
        .variant = get_word(object, "variant"),
    };
}

/* --- descriptors --- */

const char *berth_oci_digits(const char *text)
{
    if (text == NULL || !g_str_has_prefix(text, SHA256))
        return NULL;
    const char *digits = text + strlen(SHA256);
    return strspn(digits, "0123456789abcdef") == BERTH_OCI_DIGITS &&
                   strlen(digits) == BERTH_OCI_DIGITS
               ? digits
               : NULL;
}

static char *parse_digest(const char *text, GError **error)
{
    const char *digits = berth_oci_digits(text);
    if (digits == NULL)
        berth_error_set(error, BERTH_ERROR_INVALID, "import.image.bad-digest", SAVE_AGAIN,
                        "a digest is not \"sha256:\" and 64 hex digits");
    return g_strdup(digits);
}

void berth_oci_descriptor_free(BerthOciDescriptor *descriptor)
{
    if (descriptor == NULL)
        return;
    g_free(descriptor->media_type);
    g_free(descriptor->digest);
    g_free(descriptor->reference);
    berth_oci_platform_clear(&descriptor->platform);
    g_free(descriptor);
}

static char *get_reference(JsonObject *annotations)
{
    const char *name = berth_json_string(annotations, REFERENCE_CONTAINERD);
    return g_strdup(name != NULL ? name : berth_json_string(annotations, REFERENCE));
}

static BerthOciDescriptor *parse_descriptor(JsonObject *object, GError **error)
{
    if (object == NULL)
        return fail(error, "a descriptor is missing"), NULL;
    JsonNode *size = json_object_get_member(object, "size");
    if (size == NULL || json_node_get_value_type(size) != G_TYPE_INT64 ||
        json_node_get_int(size) < 0)
        return fail(error, "a descriptor does not state its size"), NULL;
    g_autofree char *digest = parse_digest(berth_json_string(object, "digest"), error);
    if (digest == NULL)
        return NULL;

    const char *type = berth_json_string(object, "mediaType");
    JsonObject *platform = berth_json_object(object, "platform");
    JsonObject *annotations = berth_json_object(object, "annotations");
    BerthOciDescriptor *descriptor = g_new0(BerthOciDescriptor, 1);
    descriptor->media_type = g_strdup(type != NULL ? type : "");
    descriptor->digest = g_steal_pointer(&digest);
    descriptor->size = (guint64)json_node_get_int(size);
    descriptor->reference = get_reference(annotations);
    descriptor->attestation = berth_json_string(annotations, REFERENCE_TYPE) != NULL;
    if (platform != NULL)
        descriptor->platform = get_platform(platform);
    return descriptor;
}

static GPtrArray *parse_descriptors(JsonArray *array, GError **error)
{
    g_autoptr(GPtrArray) descriptors =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_oci_descriptor_free);
    for (guint i = 0; i < json_array_get_length(array); i++) {
        BerthOciDescriptor *descriptor = parse_descriptor(berth_json_element(array, i), error);
        if (descriptor == NULL)
            return NULL;
        g_ptr_array_add(descriptors, descriptor);
    }
    return g_steal_pointer(&descriptors);
}

/* --- documents --- */

/* Reject a document that parses as two kinds: no honest writer makes one. */
static bool check_kind(JsonObject *object, BerthOciKind kind, const char *other, GError **error)
{
    const char *type = berth_json_string(object, "mediaType");
    if (json_object_has_member(object, other) || (type != NULL && berth_oci_kind(type) != kind))
        return fail(error, "it has an unexpected document type");
    return true;
}

GPtrArray *berth_oci_parse_index(const char *json, gsize size, GError **error)
{
    g_autoptr(JsonNode) root = parse(json, size, JSON_NODE_OBJECT, error);
    if (root == NULL)
        return NULL;
    JsonObject *object = json_node_get_object(root);
    JsonArray *manifests = berth_json_array(object, "manifests");
    if (manifests == NULL)
        return fail(error, "it has no list of manifests"), NULL;
    return check_kind(object, BERTH_OCI_INDEX, "layers", error)
               ? parse_descriptors(manifests, error)
               : NULL;
}

void berth_oci_manifest_free(BerthOciManifest *manifest)
{
    if (manifest == NULL)
        return;
    berth_oci_descriptor_free(manifest->config);
    g_clear_pointer(&manifest->layers, g_ptr_array_unref);
    g_free(manifest);
}

BerthOciManifest *berth_oci_parse_manifest(const char *json, gsize size, GError **error)
{
    g_autoptr(JsonNode) root = parse(json, size, JSON_NODE_OBJECT, error);
    if (root == NULL)
        return NULL;
    JsonObject *object = json_node_get_object(root);
    JsonArray *layers = berth_json_array(object, "layers");
    if (layers == NULL)
        return fail(error, "it has no list of layers"), NULL;
    if (!check_kind(object, BERTH_OCI_MANIFEST, "manifests", error))
        return NULL;

    g_autoptr(BerthOciManifest) manifest = g_new0(BerthOciManifest, 1);
    manifest->config = parse_descriptor(berth_json_object(object, "config"), error);
    manifest->layers = manifest->config != NULL ? parse_descriptors(layers, error) : NULL;
    return manifest->layers != NULL ? g_steal_pointer(&manifest) : NULL;
}

void berth_oci_config_free(BerthOciConfig *config)
{
    if (config == NULL)
        return;
    berth_oci_platform_clear(&config->platform);
    g_free(config->created);
    g_clear_pointer(&config->diff_ids, g_ptr_array_unref);
    g_free(config);
}

BerthOciConfig *berth_oci_parse_config(const char *json, gsize size, GError **error)
{
    g_autoptr(JsonNode) root = parse(json, size, JSON_NODE_OBJECT, error);
    if (root == NULL)
        return NULL;
    JsonObject *object = json_node_get_object(root);
    JsonObject *rootfs = berth_json_object(object, "rootfs");
    g_autoptr(GPtrArray) ids = rootfs != NULL ? get_strings(rootfs, "diff_ids") : NULL;
    if (ids == NULL)
        return fail(error, "it does not list the layers"), NULL;

    g_autoptr(BerthOciConfig) config = g_new0(BerthOciConfig, 1);
    config->platform = get_platform(object);
    config->created = g_strdup(berth_json_string(object, "created"));
    config->diff_ids = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < ids->len; i++) {
        char *digest = parse_digest(g_ptr_array_index(ids, i), error);
        if (digest == NULL)
            return NULL;
        g_ptr_array_add(config->diff_ids, digest);
    }
    return g_steal_pointer(&config);
}

void berth_oci_saved_free(BerthOciSaved *saved)
{
    g_free(saved->config);
    g_ptr_array_unref(saved->layers);
    g_free(saved->reference);
    g_free(saved);
}

static BerthOciSaved *parse_saved(JsonObject *object)
{
    const char *config = berth_json_string(object, "Config");
    g_autoptr(GPtrArray) layers = object != NULL ? get_strings(object, "Layers") : NULL;
    if (config == NULL || layers == NULL)
        return NULL;

    g_autoptr(GPtrArray) tags = get_strings(object, "RepoTags");
    BerthOciSaved *saved = g_new0(BerthOciSaved, 1);
    saved->config = g_strdup(config);
    saved->layers = g_steal_pointer(&layers);
    saved->reference = tags != NULL && tags->len > 0 ? g_strdup(tags->pdata[0]) : NULL;
    return saved;
}

GPtrArray *berth_oci_parse_saved(const char *json, gsize size, GError **error)
{
    g_autoptr(JsonNode) root = parse(json, size, JSON_NODE_ARRAY, error);
    if (root == NULL)
        return NULL;
    JsonArray *array = json_node_get_array(root);
    g_autoptr(GPtrArray) images =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_oci_saved_free);
    for (guint i = 0; i < json_array_get_length(array); i++) {
        BerthOciSaved *saved = parse_saved(berth_json_element(array, i));
        if (saved == NULL)
            return fail(error, "an image in it has no config or no list of layers"), NULL;
        g_ptr_array_add(images, saved);
    }
    return g_steal_pointer(&images);
}

bool berth_oci_check_layout(const char *json, gsize size, GError **error)
{
    g_autoptr(JsonNode) root = parse(json, size, JSON_NODE_OBJECT, error);
    if (root == NULL)
        return false;
    const char *version = berth_json_string(json_node_get_object(root), "imageLayoutVersion");
    return (version != NULL && g_str_has_prefix(version, "1.")) ||
           fail(error, "it is not of version 1 of the image layout");
}

/* --- registries --- */

GPtrArray *berth_oci_parse_tags(const char *json, gsize size, GError **error)
{
    g_autoptr(JsonNode) root = parse(json, size, JSON_NODE_OBJECT, error);
    GPtrArray *tags = root != NULL ? get_strings(json_node_get_object(root), "tags") : NULL;
    if (root != NULL && tags == NULL)
        fail(error, "it has no list of tags");
    return tags;
}

char *berth_oci_parse_token(const char *json, gsize size, GError **error)
{
    g_autoptr(JsonNode) root = parse(json, size, JSON_NODE_OBJECT, error);
    if (root == NULL)
        return NULL;
    JsonObject *object = json_node_get_object(root);
    char *token = get_word(object, "token");
    if (token == NULL)
        token = get_word(object, "access_token");
    if (token == NULL)
        fail(error, "it has no token");
    return token;
}

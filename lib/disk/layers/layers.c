/* SPDX-License-Identifier: MIT */
#include "layers.h"

#include "blobs.h"

#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"
#include "disk/archive/format_probe.h"
#include "disk/archive/source.h"
#include "disk/archive/stream.h"
#include "disk/oci/platform.h"
#include "disk/tree/tree.h"

#include <string.h>

#define DEPTH_LIMIT     4U /* an index in an index in ... */
#define MAGIC_SIZE      6U
#define MANIFESTS_LIMIT 1000U /* examined in one archive */
#define SAVE_AGAIN      "save or fetch the image again"

typedef struct {
    BerthTarRange range;
    char *digest; /* digits, or NULL: unknown */
    char *diff_id;
} Layer;

struct BerthLayers {
    char *name;
    char *architecture;
    const char *digest; /* expected, or NULL; only while opening */
    BerthTarIndex *index;
    BerthBlobs blobs;
    BerthGrowth *growth; /* or NULL */
    GPtrArray *layers;   /* Layer, the lowest first */
    BerthImageOrigin origin;
    guint64 size;

    guint next;
    BerthSha256 *blob;  /* digests of the last layer: its stored bytes */
    BerthSha256 *plain; /* its uncompressed bytes; NULL if the same */
};

static void layer_free(gpointer data)
{
    Layer *layer = data;
    g_free(layer->digest);
    g_free(layer->diff_id);
    g_free(layer);
}

void berth_image_origin_clear(BerthImageOrigin *origin)
{
    g_free(origin->reference);
    g_free(origin->platform);
    g_free(origin->created);
    *origin = (BerthImageOrigin){0};
}

char *berth_image_origin_describe(const BerthImageOrigin *origin)
{
    const char *name = origin->reference != NULL ? origin->reference : "";
    const char *created = origin->created != NULL ? origin->created : "";
    g_autofree char *text =
        g_strdup_printf("container image%s%.150s (%.60s, %u layer%s%s%.10s)", name[0] ? " " : "",
                        name, origin->platform, origin->layers, origin->layers == 1 ? "" : "s",
                        created[0] ? ", " : "", created);
    return berth_text_escape(text);
}

void berth_layers_free(BerthLayers *layers)
{
    if (layers == NULL)
        return;
    g_clear_pointer(&layers->blob, berth_sha256_free);
    g_clear_pointer(&layers->plain, berth_sha256_free);
    g_clear_pointer(&layers->index, berth_tarindex_free);
    g_ptr_array_unref(layers->layers);
    berth_image_origin_clear(&layers->origin);
    g_free(layers->architecture);
    g_free(layers->name);
    g_free(layers);
}

/* --- detection --- */

static bool is_hex(const char *text, gsize size)
{
    return strspn(text, "0123456789abcdef") >= size;
}

bool berth_layers_probe(const guint8 *head, gsize size)
{
    static const char *const markers[] = {"oci-layout",   "index.json", "manifest.json",
                                          "repositories", "blobs",      NULL};
    static const char *const suffixes[] = {"", ".json", ".tar", ".tar.gz", NULL};
    g_autofree char *top = berth_tarindex_first_top(head, size);
    if (top == NULL)
        return false;
    if (g_strv_contains(markers, top))
        return true;
    const char *digits = g_str_has_prefix(top, "sha256:") ? top + strlen("sha256:") : top;
    return is_hex(digits, BERTH_OCI_DIGITS) && g_strv_contains(suffixes, digits + BERTH_OCI_DIGITS);
}

/* --- documents --- */

static bool fail(GError **error, const char *id, const char *message)
{
    berth_error_set(error, BERTH_ERROR_INVALID, id, SAVE_AGAIN, "%s", message);
    return false;
}

/* Prefix a parser's error with the document's name. */
static gpointer prefix(gpointer result, const char *path, GError **error)
{
    if (result == NULL)
        g_prefix_error(error, "%s: ", path);
    return result;
}

static BerthOciManifest *read_manifest(const BerthLayers *layers,
                                       const BerthOciDescriptor *descriptor, GError **error)
{
    gsize size = 0;
    g_autofree char *path = berth_blobs_path(descriptor->digest);
    g_autofree char *json = berth_blobs_read(&layers->blobs, descriptor, &size, error);
    return json == NULL ? NULL : prefix(berth_oci_parse_manifest(json, size, error), path, error);
}

static BerthOciConfig *read_config(const BerthLayers *layers, const BerthOciManifest *manifest,
                                   GError **error)
{
    gsize size = 0;
    g_autofree char *path = berth_blobs_path(manifest->config->digest);
    if (berth_oci_kind(manifest->config->media_type) != BERTH_OCI_CONFIG) {
        g_autofree char *type = g_strescape(manifest->config->media_type, NULL);
        berth_error_set(error, BERTH_ERROR_INVALID, "import.image.media-type", NULL,
                        "it is not a container image but \"%.100s\"", type);
        return NULL;
    }
    g_autofree char *json = berth_blobs_read(&layers->blobs, manifest->config, &size, error);
    return json == NULL ? NULL : prefix(berth_oci_parse_config(json, size, error), path, error);
}

/* --- layers --- */

/* The search for images. */
typedef struct {
    BerthLayers *layers;
    BerthPlatformChoice choice;
    GHashTable *seen;     /* digests of the indexes and manifests visited */
    GPtrArray *documents; /* owns the documents that candidates point into */
} Search;

static void search_init(Search *search, BerthLayers *layers)
{
    search->layers = layers;
    berth_platform_init(&search->choice, layers->architecture);
    search->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    search->documents = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
}

static void search_clear(Search *search)
{
    berth_platform_clear(&search->choice);
    g_hash_table_unref(search->seen);
    g_ptr_array_unref(search->documents);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Search, search_clear)

static bool add_layer(BerthLayers *layers, const BerthTarRange *range, const char *digest,
                      const char *diff_id)
{
    Layer *layer = g_new0(Layer, 1);
    *layer = (Layer){.range = *range, .digest = g_strdup(digest), .diff_id = g_strdup(diff_id)};
    g_ptr_array_add(layers->layers, layer);
    layers->size += range->size;
    return true;
}

static bool check_count(guint layers, const BerthOciConfig *config, GError **error)
{
    if (layers > BERTH_TREE_LAYERS_MAX)
        return fail(error, "import.image.too-many", "the image has more than 1000 layers");
    return layers == config->diff_ids->len ||
           fail(error, "import.image.diff-id",
                "the image's config and its manifest list different numbers of layers");
}

static void set_origin(BerthLayers *layers, const BerthCandidate *chosen,
                       const BerthOciConfig *config)
{
    layers->origin = (BerthImageOrigin){.reference = g_strdup(chosen->reference),
                                        .platform = berth_oci_platform_format(&config->platform),
                                        .created = g_strdup(config->created),
                                        .layers = layers->layers->len};
}

/* --- OCI layouts --- */

static bool add_blob(BerthLayers *layers, const BerthOciDescriptor *descriptor, const char *diff_id,
                     GError **error)
{
    BerthOciKind kind = berth_oci_kind(descriptor->media_type);
    BerthTarRange range;
    if (kind == BERTH_OCI_LAYER)
        return berth_blobs_find(&layers->blobs, descriptor, &range, error) &&
               add_layer(layers, &range, descriptor->digest, diff_id);

    g_autofree char *type = g_strescape(descriptor->media_type, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "import.image.media-type", NULL,
                    kind == BERTH_OCI_ENCRYPTED_LAYER ? "it is encrypted (\"%.100s\")"
                    : kind == BERTH_OCI_FOREIGN_LAYER
                        ? "it is stored outside the archive (\"%.100s\")"
                        : "it is of an unknown type (\"%.100s\")",
                    type);
    return false;
}

static bool add_blobs(BerthLayers *layers, const BerthCandidate *chosen, GError **error)
{
    g_autoptr(BerthOciManifest) manifest = read_manifest(layers, chosen->source, error);
    g_autoptr(BerthOciConfig) config =
        manifest != NULL ? read_config(layers, manifest, error) : NULL;
    if (config == NULL || !check_count(manifest->layers->len, config, error))
        return false;

    guint count = manifest->layers->len;
    for (guint i = 0; i < count; i++) {
        if (!add_blob(layers, manifest->layers->pdata[i], config->diff_ids->pdata[i], error)) {
            g_prefix_error(error, "layer %u of %u: ", i + 1, count);
            return false;
        }
    }
    set_origin(layers, chosen, config);
    return true;
}

static bool visit_index(Search *search, const GPtrArray *descriptors, guint depth,
                        const BerthCandidate *from, GError **error);

static bool visit_nested(Search *search, const BerthOciDescriptor *descriptor, guint depth,
                         const BerthCandidate *as, GError **error)
{
    if (depth == DEPTH_LIMIT)
        return fail(error, "import.image.too-many", "its indexes are nested too deeply");
    gsize size = 0;
    g_autofree char *path = berth_blobs_path(descriptor->digest);
    g_autofree char *json = berth_blobs_read(&search->layers->blobs, descriptor, &size, error);
    if (json == NULL)
        return false;
    GPtrArray *nested = prefix(berth_oci_parse_index(json, size, error), path, error);
    if (nested == NULL)
        return false;
    g_ptr_array_add(search->documents, nested);
    return visit_index(search, nested, depth + 1, as, error);
}

static bool visit_manifest(Search *search, const BerthOciDescriptor *descriptor,
                           const BerthCandidate *as, GError **error)
{
    if (descriptor->platform.architecture != NULL) {
        berth_platform_offer(&search->choice, &descriptor->platform, as);
        return true;
    }
    g_autoptr(BerthOciManifest) manifest = read_manifest(search->layers, descriptor, error);
    if (manifest == NULL)
        return false;
    if (berth_oci_kind(manifest->config->media_type) != BERTH_OCI_CONFIG) {
        berth_platform_offer_other(&search->choice, manifest->config->media_type);
        return true; /* signatures and charts beside an image are ignored */
    }
    g_autoptr(BerthOciConfig) config = read_config(search->layers, manifest, error);
    if (config != NULL)
        berth_platform_offer(&search->choice, &config->platform, as);
    return config != NULL;
}

/* Visit all images below an index. Visits each digest once, which bounds the work. Cycles are
 * impossible: an index would have to contain its own digest. */
static bool visit_index(Search *search, const GPtrArray *descriptors, guint depth,
                        const BerthCandidate *from, GError **error)
{
    for (guint i = 0; i < descriptors->len; i++) {
        const BerthOciDescriptor *descriptor = g_ptr_array_index(descriptors, i);
        BerthOciKind kind = berth_oci_kind(descriptor->media_type);
        BerthCandidate as = {
            .top = depth == 0 ? i : from->top,
            .key = descriptor->digest,
            .reference = descriptor->reference != NULL ? descriptor->reference : from->reference,
            .source = descriptor,
        };
        if (descriptor->attestation || (kind != BERTH_OCI_INDEX && kind != BERTH_OCI_MANIFEST) ||
            !g_hash_table_add(search->seen, g_strdup(descriptor->digest)))
            continue;
        if (g_hash_table_size(search->seen) > MANIFESTS_LIMIT)
            return fail(error, "import.image.too-many", "its indexes list too many manifests");
        if (!(kind == BERTH_OCI_INDEX ? visit_nested(search, descriptor, depth, &as, error)
                                      : visit_manifest(search, descriptor, &as, error)))
            return false;
    }
    return true;
}

/* Whether the outermost index names the expected image, and no other. */
static bool check_expected(const BerthLayers *layers, const GPtrArray *outermost, GError **error)
{
    const BerthOciDescriptor *only = outermost->len == 1 ? g_ptr_array_index(outermost, 0) : NULL;
    return layers->digest == NULL || (only != NULL && strcmp(only->digest, layers->digest) == 0) ||
           fail(error, "import.image.digest", "it is not the image with the expected digest");
}

static bool open_layout(BerthLayers *layers, GError **error)
{
    gsize size = 0;
    if (berth_tarindex_has(layers->index, "oci-layout")) {
        g_autofree char *layout =
            berth_blobs_read_member(&layers->blobs, "oci-layout", NULL, &size, error);
        if (layout == NULL || !berth_oci_check_layout(layout, size, error))
            return prefix(NULL, "oci-layout", error) != NULL;
    }
    g_autofree char *json =
        berth_blobs_read_member(&layers->blobs, "index.json", NULL, &size, error);
    if (json == NULL)
        return false;

    g_auto(Search) search;
    search_init(&search, layers);
    GPtrArray *outermost = prefix(berth_oci_parse_index(json, size, error), "index.json", error);
    if (outermost == NULL)
        return false;
    g_ptr_array_add(search.documents, outermost);
    const BerthCandidate nothing = {0};
    if (!check_expected(layers, outermost, error) ||
        !visit_index(&search, outermost, 0, &nothing, error))
        return false;
    const BerthCandidate *chosen = berth_platform_choose(&search.choice, error);
    return chosen != NULL && add_blobs(layers, chosen, error);
}

/* --- docker save --- */

/* The digest in a member's name: "DIGITS.json", "sha256:DIGITS", "blobs/sha256/DIGITS". */
static char *digest_of_name(const char *path)
{
    const char *digits = berth_oci_digits(path);
    if (digits != NULL)
        return g_strdup(digits);
    bool is_blob = g_str_has_prefix(path, BERTH_BLOBS);
    const char *name = is_blob ? path + strlen(BERTH_BLOBS) : path;
    const char *suffix = is_blob ? "" : ".json";
    if (!is_hex(name, BERTH_OCI_DIGITS) || strcmp(name + BERTH_OCI_DIGITS, suffix) != 0)
        return NULL;
    return g_strndup(name, BERTH_OCI_DIGITS);
}

static BerthOciConfig *read_saved_config(const BerthLayers *layers, const BerthOciSaved *saved,
                                         GError **error)
{
    gsize size = 0;
    g_autofree char *digest = digest_of_name(saved->config);
    g_autofree char *shown = berth_text_escape(saved->config);
    g_autofree char *json =
        berth_blobs_read_member(&layers->blobs, saved->config, digest, &size, error);
    return json == NULL ? NULL : prefix(berth_oci_parse_config(json, size, error), shown, error);
}

static bool add_saved(BerthLayers *layers, const BerthCandidate *chosen, GError **error)
{
    const BerthOciSaved *saved = chosen->source;
    g_autoptr(BerthOciConfig) config = read_saved_config(layers, saved, error);
    if (config == NULL || !check_count(saved->layers->len, config, error))
        return false;
    for (guint i = 0; i < saved->layers->len; i++) {
        BerthTarRange range;
        const char *path = g_ptr_array_index(saved->layers, i);
        g_autofree char *digest = g_str_has_prefix(path, BERTH_BLOBS) ? digest_of_name(path) : NULL;
        if (!berth_tarindex_find(layers->index, path, &range, error)) {
            g_prefix_error(error, "layer %u of %u: ", i + 1, saved->layers->len);
            return false;
        }
        add_layer(layers, &range, digest, config->diff_ids->pdata[i]);
    }
    set_origin(layers, chosen, config);
    return true;
}

static bool open_saved(BerthLayers *layers, GError **error)
{
    gsize size = 0;
    g_autofree char *json =
        berth_blobs_read_member(&layers->blobs, "manifest.json", NULL, &size, error);
    if (json == NULL)
        return false;
    g_auto(Search) search;
    search_init(&search, layers);
    GPtrArray *images = prefix(berth_oci_parse_saved(json, size, error), "manifest.json", error);
    if (images == NULL)
        return false;
    g_ptr_array_add(search.documents, images);
    if (images->len > MANIFESTS_LIMIT)
        return fail(error, "import.image.too-many", "manifest.json lists too many images");

    for (guint i = 0; i < images->len; i++) {
        const BerthOciSaved *saved = g_ptr_array_index(images, i);
        g_autoptr(BerthOciConfig) config = read_saved_config(layers, saved, error);
        if (config == NULL)
            return false;
        const BerthCandidate as = {
            .top = i, .key = saved->config, .reference = saved->reference, .source = saved};
        berth_platform_offer(&search.choice, &config->platform, &as);
    }
    const BerthCandidate *chosen = berth_platform_choose(&search.choice, error);
    return chosen != NULL && add_saved(layers, chosen, error);
}

/* --- opening --- */

static bool open_old(BerthLayers *layers, GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "import.image.too-old",
                    "load it into a newer docker and save it again",
                    "it was saved by a Docker before 1.10, without a manifest");
    return false;
}

typedef bool (*OpenFunc)(BerthLayers *layers, GError **error);

/* The function that opens this archive's format, or NULL: no image. A root file system may also
 * contain the marker names, but not only those. */
static OpenFunc find_format(const BerthTarIndex *index)
{
    static const char *const root_names[] = {"etc", "usr", "bin"};
    if (!berth_tarindex_is_complete(index))
        return NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(root_names); i++) {
        if (berth_tarindex_has_top(index, root_names[i]))
            return NULL;
    }
    if (berth_tarindex_has(index, "index.json") &&
        (berth_tarindex_has(index, "oci-layout") || berth_tarindex_has_top(index, "blobs")))
        return open_layout;
    if (berth_tarindex_has(index, "manifest.json"))
        return open_saved;
    return berth_tarindex_has(index, "repositories") ? open_old : NULL;
}

bool berth_layers_open(const BerthLayersInput *input, BerthLayers **ret_layers, GError **error)
{
    *ret_layers = NULL;
    g_autoptr(BerthLayers) layers = g_new0(BerthLayers, 1);
    const char *architecture = input->architecture;
    layers->name = g_strdup(input->name);
    layers->architecture =
        g_strdup(architecture != NULL ? architecture : berth_oci_host_architecture());
    layers->layers = g_ptr_array_new_with_free_func(layer_free);
    layers->index = berth_tarindex_new(input->fd, input->offset, input->length, error);
    layers->blobs = (BerthBlobs){.fd = input->fd, .index = layers->index};
    layers->growth = input->growth;

    OpenFunc open = layers->index != NULL ? find_format(layers->index) : NULL;
    layers->digest = input->digest;
    if (layers->index != NULL && layers->digest != NULL && open != open_layout) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.image.digest", SAVE_AGAIN,
                        "%s: it is not the image with the expected digest", input->name);
        return false;
    }
    if (layers->index == NULL || (open != NULL && !open(layers, error))) {
        g_prefix_error(error, "%s: ", input->name);
        return false;
    }
    if (open != NULL)
        *ret_layers = g_steal_pointer(&layers);
    return true;
}

const BerthImageOrigin *berth_layers_origin(const BerthLayers *layers)
{
    return &layers->origin;
}

guint64 berth_layers_size(const BerthLayers *layers)
{
    return layers->size;
}

/* --- reading --- */

static void add_to_checksum(const guint8 *data, gsize size, gpointer user_data)
{
    berth_sha256_update(user_data, data, size);
}

/* Verify the layer read last. */
static bool check_digests(BerthLayers *layers, GError **error)
{
    if (layers->next == 0)
        return true;
    const Layer *layer = g_ptr_array_index(layers->layers, layers->next - 1);
    g_autofree char *blob = berth_sha256_format(layers->blob);
    g_autofree char *plain =
        layers->plain != NULL ? berth_sha256_format(layers->plain) : g_strdup(blob);
    bool right = layer->digest == NULL || strcmp(blob, layer->digest) == 0;
    if (right && strcmp(plain, layer->diff_id) == 0)
        return true;
    berth_error_set(
        error, BERTH_ERROR_INVALID, right ? "import.image.diff-id" : "import.image.digest",
        SAVE_AGAIN, "%s: layer %u of %u: its bytes do not match %s", layers->name, layers->next,
        layers->layers->len, right ? "the diff_id in the image's config" : "its digest");
    return false;
}

static BerthTar *open_layer(BerthLayers *layers, const Layer *layer, const char *name,
                            GError **error)
{
    g_autoptr(BerthSource) source =
        berth_source_new_range(layers->blobs.fd, layer->range.offset, layer->range.size);
    berth_source_set_growth(source, layers->growth);
    layers->blob = berth_sha256_new();
    berth_source_set_tap(source, add_to_checksum, layers->blob);

    const guint8 *head = NULL;
    gsize size = 0;
    if (!berth_source_peek(source, MAGIC_SIZE, &head, &size, error))
        return prefix(NULL, name, error);
    bool compressed = berth_format_compression(head, size) != BERTH_COMPRESSION_NONE;
    BerthStream *stream = berth_stream_open(g_steal_pointer(&source), name, error);
    if (stream == NULL)
        return prefix(NULL, name, error);
    if (compressed) {
        layers->plain = berth_sha256_new();
        berth_stream_set_tap(stream, add_to_checksum, layers->plain);
    }
    return berth_tar_open(stream, name, error);
}

bool berth_layers_next(BerthLayers *layers, BerthTar **ret_tar, GError **error)
{
    if (!check_digests(layers, error))
        return false;
    g_clear_pointer(&layers->blob, berth_sha256_free);
    g_clear_pointer(&layers->plain, berth_sha256_free);
    *ret_tar = NULL;
    if (layers->next == layers->layers->len)
        return true;

    const Layer *layer = g_ptr_array_index(layers->layers, layers->next++);
    g_autofree char *name =
        g_strdup_printf("%s: layer %u of %u", layers->name, layers->next, layers->layers->len);
    *ret_tar = open_layer(layers, layer, name, error);
    return *ret_tar != NULL;
}

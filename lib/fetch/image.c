/* SPDX-License-Identifier: MIT */
#include "image.h"

#include "base/error.h"
#include "disk/oci/platform.h"
#include "layout.h"

#include <string.h>

#define DEPTH_MAX     4U    /* an index in an index in ... */
#define DOCUMENTS_MAX 64U   /* that are read to choose one image */
#define LAYERS_MAX    1000U /* as disk/layers */
#define PARALLEL      4U    /* downloads */
#define BLOBS         "blobs/sha256/"

typedef struct {
    const BerthOciDescriptor *descriptor; /* borrowed */
    guint64 offset;                       /* in the output */
    guint64 done;                         /* bytes */
} Layer;

typedef struct {
    BerthFetchRegistry *registry;
    BerthPlatformChoice choice;
    BerthOciDescriptor *top;
    GPtrArray *indexes;    /* GPtrArray of BerthOciDescriptor */
    GPtrArray *digests;    /* char *, of the documents, in the order they came */
    GHashTable *documents; /* digits -> GByteArray */
    BerthOciManifest *manifest;
    GArray *layers; /* Layer, each digest once */
    guint64 total;  /* bytes of the layers */
    guint64 end;    /* of the output */

    /* of the download of layers */
    GMutex lock; /* of what follows, and of each Layer's `done` */
    guint next;
    GError *problem; /* the first; ends the other downloads */
    BerthProgressFunc progress;
    gpointer user_data;
} Image;

static void image_init(Image *image, BerthFetchRegistry *registry, const char *architecture)
{
    *image = (Image){.registry = registry};
    berth_platform_init(&image->choice, architecture);
    image->indexes = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    image->digests = g_ptr_array_new_with_free_func(g_free);
    image->documents =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_byte_array_unref);
    image->layers = g_array_new(false, true, sizeof(Layer));
    g_mutex_init(&image->lock);
}

static void image_clear(Image *image)
{
    berth_platform_clear(&image->choice);
    berth_oci_descriptor_free(image->top);
    g_ptr_array_unref(image->indexes);
    g_hash_table_unref(image->documents);
    g_ptr_array_unref(image->digests);
    berth_oci_manifest_free(image->manifest);
    g_array_unref(image->layers);
    g_mutex_clear(&image->lock);
    g_clear_error(&image->problem);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Image, image_clear)

static bool fail(GError **error, const char *id, const char *message)
{
    berth_error_set(error, BERTH_ERROR_INVALID, id, NULL, "%s", message);
    return false;
}

static bool fail_type(GError **error, const char *what, const char *type)
{
    g_autofree char *shown = g_strescape(type != NULL && type[0] != '\0' ? type : "none", NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "fetch.image.media-type", NULL, "%s \"%.100s\"",
                    what, shown);
    return false;
}

/* --- documents --- */

static void keep_document(Image *image, const char *digits, GByteArray *text)
{
    char *name = g_strdup(digits);
    g_ptr_array_add(image->digests, name);
    g_hash_table_insert(image->documents, name, text);
}

/* The document of @descriptor, borrowed. */
static const GByteArray *get_document(Image *image, const BerthOciDescriptor *descriptor,
                                      GError **error)
{
    GByteArray *text = g_hash_table_lookup(image->documents, descriptor->digest);
    if (text != NULL)
        return text;
    if (image->digests->len == DOCUMENTS_MAX)
        return fail(error, "fetch.image.too-many", "its indexes list too many manifests"), NULL;
    text = berth_fetch_registry_document(image->registry, descriptor, error);
    if (text != NULL)
        keep_document(image, descriptor->digest, text);
    return text;
}

/* The media type without parameters such as "; charset=utf-8". Free with g_free. */
static char *bare_type(const char *type)
{
    char *bare = g_strdup(type != NULL ? type : "");
    bare[strcspn(bare, ";")] = '\0';
    return g_strstrip(bare);
}

/* The document @reference as a descriptor; NULL if it is no image. */
static BerthOciDescriptor *read_top(BerthFetchRegistry *registry, const char *reference,
                                    GByteArray **ret_text, GError **error)
{
    g_autofree char *type = NULL;
    g_autoptr(GByteArray) text = berth_fetch_registry_manifest(registry, reference, &type, error);
    if (text == NULL)
        return NULL;
    g_autofree char *bare = bare_type(type);
    BerthOciKind kind = berth_oci_kind(bare);
    if (kind != BERTH_OCI_INDEX && kind != BERTH_OCI_MANIFEST)
        return fail_type(error, "the registry has no container image by this name, but", bare),
               NULL;
    BerthOciDescriptor *top = g_new0(BerthOciDescriptor, 1);
    top->media_type = g_steal_pointer(&bare);
    top->digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, text->data, text->len);
    top->size = text->len;
    *ret_text = g_steal_pointer(&text);
    return top;
}

static BerthOciManifest *read_manifest(Image *image, const BerthOciDescriptor *descriptor,
                                       GError **error)
{
    const GByteArray *text = get_document(image, descriptor, error);
    return text != NULL ? berth_oci_parse_manifest((const char *)text->data, text->len, error)
                        : NULL;
}

/* --- the choice, as disk/layers makes it --- */

static bool visit(Image *image, const BerthOciDescriptor *descriptor, guint depth, GError **error);

static bool visit_index(Image *image, const BerthOciDescriptor *descriptor, guint depth,
                        GError **error)
{
    if (depth == DEPTH_MAX)
        return fail(error, "fetch.image.too-many", "its indexes are nested too deeply");
    const GByteArray *text = get_document(image, descriptor, error);
    GPtrArray *index =
        text != NULL ? berth_oci_parse_index((const char *)text->data, text->len, error) : NULL;
    if (index == NULL)
        return false;
    g_ptr_array_add(image->indexes, index);
    for (guint i = 0; i < index->len; i++) {
        const BerthOciDescriptor *nested = g_ptr_array_index(index, i);
        if (!nested->attestation && !visit(image, nested, depth + 1, error))
            return false;
    }
    return true;
}

/* A manifest whose index does not say its platform. */
static bool visit_unknown(Image *image, const BerthOciDescriptor *descriptor,
                          const BerthCandidate *as, GError **error)
{
    g_autoptr(BerthOciManifest) manifest = read_manifest(image, descriptor, error);
    if (manifest == NULL)
        return false;
    if (berth_oci_kind(manifest->config->media_type) != BERTH_OCI_CONFIG) {
        berth_platform_offer_other(&image->choice, manifest->config->media_type);
        return true;
    }
    const GByteArray *text = get_document(image, manifest->config, error);
    g_autoptr(BerthOciConfig) config =
        text != NULL ? berth_oci_parse_config((const char *)text->data, text->len, error) : NULL;
    if (config != NULL)
        berth_platform_offer(&image->choice, &config->platform, as);
    return config != NULL;
}

static bool visit(Image *image, const BerthOciDescriptor *descriptor, guint depth, GError **error)
{
    BerthOciKind kind = berth_oci_kind(descriptor->media_type);
    const BerthCandidate as = {.key = descriptor->digest, .source = descriptor};
    if (kind == BERTH_OCI_INDEX)
        return visit_index(image, descriptor, depth, error);
    if (kind != BERTH_OCI_MANIFEST)
        return true;
    if (descriptor->platform.architecture == NULL)
        return visit_unknown(image, descriptor, &as, error);
    berth_platform_offer(&image->choice, &descriptor->platform, &as);
    return true;
}

/* --- the plan --- */

static bool check_layer(const BerthOciDescriptor *descriptor, GError **error)
{
    switch (berth_oci_kind(descriptor->media_type)) {
    case BERTH_OCI_LAYER:
        return true;
    case BERTH_OCI_FOREIGN_LAYER:
        return fail_type(error, "a layer is not in the registry:", descriptor->media_type);
    case BERTH_OCI_ENCRYPTED_LAYER:
        return fail_type(error, "a layer is encrypted:", descriptor->media_type);
    default:
        return fail_type(error, "a layer is of an unknown type:", descriptor->media_type);
    }
}

static bool add_layers(Image *image, GError **error)
{
    const GPtrArray *all = image->manifest->layers;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    if (all->len > LAYERS_MAX)
        return fail(error, "fetch.image.too-many", "the image has more than 1000 layers");
    for (guint i = 0; i < all->len; i++) {
        const BerthOciDescriptor *descriptor = g_ptr_array_index(all, i);
        if (!check_layer(descriptor, error))
            return false;
        if (g_hash_table_contains(image->documents, descriptor->digest) ||
            !g_hash_table_add(seen, descriptor->digest))
            continue;
        Layer layer = {.descriptor = descriptor};
        g_array_append_val(image->layers, layer);
        if (descriptor->size > image->registry->how.size_max - image->total)
            return fail(error, "fetch.too-big", "the image is too large");
        image->total += descriptor->size;
    }
    return true;
}

/* Choose the image and read what describes it. */
static bool choose(Image *image, const char *reference, GError **error)
{
    GByteArray *text = NULL;
    image->top = read_top(image->registry, reference, &text, error);
    if (image->top == NULL)
        return false;
    keep_document(image, image->top->digest, text);
    if (!visit(image, image->top, 0, error))
        return false;
    const BerthCandidate *chosen = berth_platform_choose(&image->choice, error);
    image->manifest = chosen != NULL ? read_manifest(image, chosen->source, error) : NULL;
    if (image->manifest == NULL)
        return false;
    const BerthOciDescriptor *config = image->manifest->config;
    if (berth_oci_kind(config->media_type) != BERTH_OCI_CONFIG)
        return fail_type(error, "it is not a container image but", config->media_type);
    return get_document(image, config, error) != NULL && add_layers(image, error);
}

static bool add_text(BerthFetchLayout *layout, const char *name, const char *text, GError **error)
{
    return berth_fetch_layout_add(layout, name, text, strlen(text), error);
}

static bool plan(Image *image, BerthFetchLayout *layout, GError **error)
{
    /* The media type is one of those that berth_oci_kind knows: nothing to escape. */
    g_autofree char *index = g_strdup_printf(
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\","
        "\"size\":%" G_GUINT64_FORMAT "}]}",
        image->top->media_type, image->top->digest, image->top->size);
    if (!add_text(layout, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", error) ||
        !add_text(layout, "index.json", index, error))
        return false;
    for (guint i = 0; i < image->digests->len; i++) {
        const char *digits = g_ptr_array_index(image->digests, i);
        const GByteArray *text = g_hash_table_lookup(image->documents, digits);
        g_autofree char *name = g_strconcat(BLOBS, digits, NULL);
        if (!berth_fetch_layout_add(layout, name, text->data, text->len, error))
            return false;
    }
    for (guint i = 0; i < image->layers->len; i++) {
        Layer *layer = &g_array_index(image->layers, Layer, i);
        g_autofree char *name = g_strconcat(BLOBS, layer->descriptor->digest, NULL);
        if (!berth_fetch_layout_reserve(layout, name, layer->descriptor->size, &layer->offset,
                                        error))
            return false;
    }
    return true;
}

/* --- the layers --- */

typedef struct {
    Image *image;
    Layer *layer;
} Part;

/* Report all layers together. The lock is held. */
static bool report(Image *image)
{
    BerthProgress sum = {.bytes_total = image->total};
    for (guint i = 0; i < image->layers->len; i++) {
        const Layer *layer = &g_array_index(image->layers, Layer, i);
        sum.bytes_done += layer->done;
        if (sum.ready == 0 && layer->done < layer->descriptor->size)
            sum.ready = layer->offset + layer->done;
    }
    if (sum.ready == 0)
        sum.ready = image->end;
    return image->progress(&sum, image->user_data);
}

static bool on_progress(const BerthProgress *progress, gpointer user_data)
{
    const Part *part = user_data;
    Image *image = part->image;
    g_mutex_lock(&image->lock);
    part->layer->done = progress->bytes_done;
    bool go_on = image->problem == NULL && report(image);
    g_mutex_unlock(&image->lock);
    return go_on;
}

/* The next layer that no worker has begun; NULL after the last, or after a failure. */
static Layer *take_layer(Image *image)
{
    g_mutex_lock(&image->lock);
    bool more = image->problem == NULL && image->next < image->layers->len;
    Layer *layer = more ? &g_array_index(image->layers, Layer, image->next++) : NULL;
    g_mutex_unlock(&image->lock);
    return layer;
}

/* The others end with "cancelled", which is not the reason. */
static void keep_problem(Image *image, GError *problem)
{
    g_mutex_lock(&image->lock);
    if (image->problem == NULL)
        image->problem = problem;
    else
        g_error_free(problem);
    g_mutex_unlock(&image->lock);
}

static gpointer download(gpointer user_data)
{
    Image *image = user_data;
    for (Layer *layer = take_layer(image); layer != NULL; layer = take_layer(image)) {
        GError *problem = NULL;
        Part part = {image, layer};
        if (!berth_fetch_registry_blob(image->registry, layer->descriptor, layer->offset,
                                       on_progress, &part, &problem)) {
            keep_problem(image, problem);
            break;
        }
        const BerthProgress whole = {.bytes_done = layer->descriptor->size};
        on_progress(&whole, &part);
    }
    return NULL;
}

/* This thread downloads, too; so fewer threads, or none, only take longer. */
static bool download_all(Image *image, GError **error)
{
    GThread *threads[PARALLEL - 1];
    guint count = 0;
    while (count < G_N_ELEMENTS(threads) && count + 1 < image->layers->len) {
        threads[count] = g_thread_try_new("layer", download, image, NULL);
        if (threads[count] == NULL)
            break;
        count++;
    }
    download(image);
    for (guint i = 0; i < count; i++)
        g_thread_join(threads[i]);
    if (image->problem == NULL)
        return true;
    g_propagate_error(error, g_steal_pointer(&image->problem));
    return false;
}

/* --- the whole --- */

bool berth_fetch_image_resolve(BerthFetchRegistry *registry, const char *reference,
                               BerthFetchReport *ret_report, GError **error)
{
    g_autoptr(GByteArray) text = NULL;
    g_autoptr(BerthOciDescriptor) top = read_top(registry, reference, &text, error);
    if (top == NULL)
        return false;
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    berth_sha256_update(sha256, text->data, text->len);
    *ret_report = (BerthFetchReport){.size = text->len};
    berth_sha256_digest(sha256, ret_report->digest);
    return true;
}

bool berth_fetch_image_get(BerthFetchRegistry *registry, const char *reference,
                           const char *architecture, BerthProgressFunc progress, gpointer user_data,
                           BerthFetchReport *ret_report, GError **error)
{
    g_auto(Image) image;
    image_init(&image, registry,
               architecture != NULL ? architecture : berth_oci_host_architecture());
    image.progress = progress;
    image.user_data = user_data;
    g_autoptr(BerthFetchLayout) layout = berth_fetch_layout_new();
    if (!choose(&image, reference, error) || !plan(&image, layout, error)) {
        g_prefix_error(error, "%s@%s: ", registry->repository, reference);
        return false;
    }
    if (!berth_fetch_layout_write(layout, registry->how.output, &image.end, error))
        return false;
    report(&image); /* the layers' own reports find out whether the caller is still there */
    if (!download_all(&image, error))
        return false;
    *ret_report = (BerthFetchReport){.size = image.total};
    return true;
}

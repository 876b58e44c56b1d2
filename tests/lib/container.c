/* SPDX-License-Identifier: MIT */
#include "container.h"

#include <string.h>

char *container_digits(const void *data, gsize size)
{
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, size);
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

static char *descriptor(const char *media_type, const char *digits, gsize size, const char *extra)
{
    return g_strdup_printf(
        "{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%" G_GSIZE_FORMAT "%s}",
        media_type, digits, size, extra);
}

static void add_file(GByteArray *outer, const char *path, const void *data, gsize size)
{
    /* a size of 0 makes tarball_add measure the data */
    TARBALL_ADD(outer, .path = path, .mode = 0644, .data = size > 0 ? data : NULL, .size = size);
}

static void add_blob_as(GByteArray *outer, const char *digits, const void *data, gsize size)
{
    g_autofree char *path = g_strconcat("blobs/sha256/", digits, NULL);
    add_file(outer, path, data, size);
}

char *container_add_blob(GByteArray *outer, const char *media_type, const void *data, gsize size,
                         const char *extra)
{
    g_autofree char *digits = container_digits(data, size);
    add_blob_as(outer, digits, data, size);
    return descriptor(media_type, digits, size, extra);
}

/* The config, with a diff_id for each of @layers. */
static char *make_config(const GPtrArray *layers, const Container *options)
{
    g_autoptr(GString) ids = g_string_new(NULL);
    for (guint i = 0; i < layers->len; i++) {
        const GByteArray *layer = layers->pdata[i];
        bool last = i + 1 == layers->len;
        g_autofree char *own = container_digits(layer->data, layer->len);
        if (!last || !options->uncounted)
            g_string_append_printf(ids, "%s\"sha256:%s\"", i == 0 ? "" : ",",
                                   last ? or_else(options->diff_id, own) : own);
    }
    return g_strdup_printf("{\"created\":\"2023-11-14T22:13:20Z\",\"architecture\":\"%s\","
                           "\"os\":\"linux\",\"config\":{\"Env\":[\"A=1\"],\"User\":\"nobody\"},"
                           "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]},"
                           "\"history\":[{\"created_by\":\"RUN [ -d /x ] && echo '{[\\\"'\"}]}",
                           or_else(options->architecture, "amd64"), ids->str);
}

/* The blob of @layer and its descriptor. */
static char *add_layer(GByteArray *outer, const GByteArray *layer, const Container *options,
                       bool twist)
{
    g_autoptr(GByteArray) packed =
        options->filter != NULL ? tarball_filter(layer, options->filter)
                                : g_byte_array_append(g_byte_array_new(), layer->data, layer->len);
    gsize size = packed->len - (twist ? options->cut : 0);
    g_autofree char *own = container_digits(packed->data, size);
    const char *digits = twist ? or_else(options->digest, own) : own;
    if (!twist || !options->missing)
        add_blob_as(outer, digits, packed->data, size);
    return descriptor(or_else(options->media_type, CONTAINER_LAYER), digits,
                      size + (gsize)(twist ? options->size_added : 0), "");
}

static char *platform(const Container *options)
{
    if (options->no_platform)
        return g_strdup("");
    g_autofree char *variant = options->variant != NULL
                                   ? g_strdup_printf(",\"variant\":\"%s\"", options->variant)
                                   : g_strdup("");
    return g_strdup_printf(",\"platform\":{\"architecture\":\"%s\",\"os\":\"linux\"%s}",
                           or_else(options->architecture, "amd64"), variant);
}

static char *annotations(const Container *options)
{
    return options->reference == NULL
               ? g_strdup("")
               : g_strdup_printf(",\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}",
                                 options->reference);
}

char *container_add_image(GByteArray *outer, const GPtrArray *layers, const Container *options)
{
    g_autofree char *list = g_strdup("");
    for (guint i = layers->len; i-- > 0;) {
        bool last = i + 1 == layers->len;
        g_autofree char *one = add_layer(outer, layers->pdata[i], options, last);
        char *longer = g_strconcat(one, last ? "" : ",", list, NULL);
        g_free(list);
        list = longer;
    }
    g_autofree char *config = make_config(layers, options);
    g_autofree char *config_descriptor = container_add_blob(
        outer, or_else(options->config_type, CONTAINER_CONFIG), config, strlen(config), "");
    g_autofree char *manifest = g_strdup_printf(
        "{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s]}", config_descriptor, list);
    g_autofree char *where = platform(options);
    g_autofree char *notes = annotations(options);
    g_autofree char *extra = g_strconcat(where, options->nesting == 0 ? notes : "", NULL);
    char *result = container_add_blob(outer, CONTAINER_MANIFEST, manifest, strlen(manifest), extra);
    for (guint i = 0; i < options->nesting; i++) {
        g_autofree char *inner = result;
        g_autofree char *index = g_strdup_printf("{\"schemaVersion\":2,\"manifests\":[%s]}", inner);
        result = container_add_blob(outer, CONTAINER_INDEX, index, strlen(index),
                                    i + 1 == options->nesting ? notes : "");
    }
    return result;
}

void container_end_layout(GByteArray *outer, const char *descriptors)
{
    g_autofree char *index =
        g_strdup_printf("{\"schemaVersion\":2,\"manifests\":[%s]}", descriptors);
    const char *layout = "{\"imageLayoutVersion\":\"1.0.0\"}";
    add_file(outer, "index.json", index, strlen(index));
    add_file(outer, "oci-layout", layout, strlen(layout));
    tarball_end(outer);
}

GByteArray *container_new_layout(const GPtrArray *layers, const Container *options)
{
    GByteArray *outer = g_byte_array_new();
    TARBALL_ADD(outer, .path = "blobs/", .type = '5', .mode = 0755);
    TARBALL_ADD(outer, .path = "blobs/sha256/", .type = '5', .mode = 0755);
    g_autofree char *image = container_add_image(outer, layers, options);
    container_end_layout(outer, image);
    return outer;
}

/* The name of a layer's directory in old Docker archives: an id that is the digest of nothing in
 * it. */
static char *layer_id(guint i)
{
    g_autofree char *text = g_strdup_printf("layer %u", i);
    return container_digits(text, strlen(text));
}

static void add_saved_layer(GByteArray *outer, const GPtrArray *layers, guint i)
{
    const GByteArray *layer = layers->pdata[i];
    g_autofree char *id = layer_id(i);
    g_autofree char *directory = g_strconcat(id, "/", NULL);
    g_autofree char *version = g_strconcat(id, "/VERSION", NULL);
    g_autofree char *path = g_strconcat(id, "/layer.tar", NULL);
    TARBALL_ADD(outer, .path = directory, .type = '5', .mode = 0755);
    TARBALL_ADD(outer, .path = version, .data = "1.0");
    for (guint j = 0; j < i; j++) {
        const GByteArray *earlier = layers->pdata[j];
        if (earlier->len != layer->len || memcmp(earlier->data, layer->data, layer->len) != 0)
            continue;
        g_autofree char *other = layer_id(j);
        g_autofree char *target = g_strconcat("../", other, "/layer.tar", NULL);
        TARBALL_ADD(outer, .path = path, .type = '2', .target = target);
        return;
    }
    add_file(outer, path, layer->data, layer->len);
}

GByteArray *container_new_saved(const GPtrArray *layers, const Container *options)
{
    GByteArray *outer = g_byte_array_new();
    g_autoptr(GString) paths = g_string_new(NULL);
    for (guint i = layers->len; i-- > 0;) {
        g_autofree char *id = layer_id(i);
        add_saved_layer(outer, layers, i);
        g_autofree char *path = g_strdup_printf("%s\"%s/layer.tar\"", i == 0 ? "" : ",", id);
        g_string_prepend(paths, path);
    }
    g_autofree char *config = make_config(layers, options);
    g_autofree char *own = container_digits(config, strlen(config));
    g_autofree char *path = g_strconcat(or_else(options->digest, own), ".json", NULL);
    g_autofree char *manifest =
        g_strdup_printf("[{\"Config\":\"%s\",\"RepoTags\":[\"%s\"],\"Layers\":[%s]}]", path,
                        or_else(options->reference, "x:latest"), paths->str);
    add_file(outer, path, config, strlen(config));
    add_file(outer, "manifest.json", manifest, strlen(manifest));
    TARBALL_ADD(outer, .path = "repositories", .data = "{}");
    tarball_end(outer);
    return outer;
}

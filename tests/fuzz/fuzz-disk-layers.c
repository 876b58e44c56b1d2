/* SPDX-License-Identifier: MIT
 *
 * A hostile archive of a container image: reading it terminates, with a tree or a one-line error.
 *
 * The input is a list of changes to one of three small images: the first byte selects the image,
 * then three bytes for each change: the offset and the new byte. In the last image only the layers'
 * bytes are covered by digests, which are checked at their end, so that changes reach the parsers.
 */
#include "../lib/container.h"
#include "base/error.h"
#include "base/fd.h"
#include "disk/layers/layers.h"
#include "disk/tree/whiteout.h"
#include "fuzz.h"

#include <string.h>

#define BLOCK       512U
#define SAMPLES     3U
#define CHANGE_SIZE 3U
#define CHANGES_MAX 6U

static GByteArray *samples[SAMPLES];
static GArray *places[SAMPLES]; /* guint, offsets that are nonzero and not in the outer headers */

static GByteArray *make_layer(void)
{
    GByteArray *layer = tarball_new_rootfs();
    TARBALL_ADD(layer, .path = "d/.wh.x", .data = "");
    TARBALL_ADD(layer, .path = "d/.wh..wh..opq", .data = "");
    TARBALL_ADD(layer, .path = "link", .type = '1', .target = "etc/os-release");
    tarball_end(layer);
    return layer;
}

static GByteArray *make_unchecked(const GByteArray *layer)
{
    GByteArray *outer = g_byte_array_new();
    g_autofree char *digits = container_digits(layer->data, layer->len);
    g_autofree char *config = g_strdup_printf(
        "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[\"sha256:%s\","
        "\"sha256:%s\"]}}",
        digits, digits);
    TARBALL_ADD(outer, .path = "manifest.json",
                .data = "[{\"Config\":\"c\",\"RepoTags\":[\"x:1\"],\"Layers\":[\"l\",\"m\"]}]");
    TARBALL_ADD(outer, .path = "c", .data = config);
    TARBALL_ADD(outer, .path = "l", .data = layer->data, .size = layer->len);
    TARBALL_ADD(outer, .path = "m", .type = '2', .target = "l");
    tarball_end(outer);
    return outer;
}

static GArray *find_places(const GByteArray *sample)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint at = 0; at < sample->len;) {
        guint64 size = g_ascii_strtoull((const char *)sample->data + at + 124, NULL, 8);
        guint end = MIN(sample->len, at + BLOCK + (guint)(size + BLOCK - 1) / BLOCK * BLOCK);
        for (at += BLOCK; at < end; at++)
            if (sample->data[at] != 0)
                g_array_append_val(found, at);
    }
    return found;
}

static void set_up(void)
{
    g_autoptr(GPtrArray) layers = g_ptr_array_new();
    g_autoptr(GByteArray) layer = make_layer();
    g_ptr_array_add(layers, layer);
    g_ptr_array_add(layers, layer);
    samples[0] = container_new_layout(layers, &(Container){.nesting = 1});
    samples[1] = container_new_saved(layers, &(Container){0});
    samples[2] = make_unchecked(layer);
    for (guint i = 0; i < SAMPLES; i++)
        places[i] = find_places(samples[i]);
}

static bool unpack(BerthTar *tar, BerthTree *tree, GError **error)
{
    BerthDropped dropped = {0};
    for (bool end = false; !end;) {
        g_auto(BerthEntry) entry = {0};
        BerthInode *file = NULL;
        bool applied = false;
        if (!berth_tar_next(tar, &entry, &end, error))
            return false;
        if (end)
            break;
        if (!berth_entry_normalise(&entry, &dropped, error) ||
            !berth_whiteout_apply(tree, entry.path, &applied, error) ||
            (!applied && !berth_tree_add(tree, &entry, &file, error)))
            return false;
    }
    return true;
}

static bool unpack_all(BerthLayers *layers, GError **error)
{
    g_autoptr(BerthTree) tree = berth_tree_new();
    for (;;) {
        g_autoptr(BerthTar) tar = NULL;
        if (!berth_layers_next(layers, &tar, error))
            return false;
        if (tar == NULL)
            return berth_tree_finish(tree, error);
        if (!berth_tree_begin_layer(tree, error) || !unpack(tar, tree, error))
            return false;
    }
}

static void import(const GByteArray *bytes)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthLayers) layers = NULL;
    berth_autofd int fd = tarball_open(bytes);
    const BerthLayersInput input = {
        .name = "x", .architecture = "amd64", .fd = fd, .length = bytes->len};
    (void)berth_layers_probe(bytes->data, bytes->len);
    bool done = berth_layers_open(&input, &layers, &error) &&
                (layers == NULL || unpack_all(layers, &error));
    g_assert_cmpint(done, ==, error == NULL);
    g_assert_true(done || strchr(error->message, '\n') == NULL);
    g_assert_true(done || g_str_has_prefix(berth_error_id(error), "import."));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (samples[0] == NULL)
        set_up();
    guint which = size > 0 ? data[0] % SAMPLES : 0;
    /* With more changes most inputs would fail early. */
    guint count = size > 0 ? data[0] / SAMPLES % CHANGES_MAX : 0;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, samples[which]->data, samples[which]->len);
    for (size_t at = 1; at + CHANGE_SIZE <= size && count > 0; at += CHANGE_SIZE, count--) {
        guint place = (guint)(data[at] << 8 | data[at + 1]) % places[which]->len;
        bytes->data[g_array_index(places[which], guint, place)] = data[at + 2];
    }
    import(bytes);
    return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * Container images that contradict their descriptors, and archives from which no image can be made.
 */
#include "../lib/layering.h"

#include <string.h>

static const char *const gzip[] = {"gzip", "-c", NULL};
static const char *const zstd[] = {"zstd", "-qc", NULL};

static void test_refused_layers(Layering *fixture, gconstpointer data)
{
    g_autofree char *other = container_digits("other", 5);
    const struct {
        Container options;
        const char *id;
        const char *message;
    } rows[] = {
        {{.digest = other}, "import.image.digest", "layer 3 of 3"},
        {{.digest = other, .filter = gzip}, "import.image.digest", "layer 3 of 3"},
        {{.diff_id = other}, "import.image.diff-id", "layer 3 of 3"},
        {{.diff_id = other, .filter = zstd}, "import.image.diff-id", "layer 3 of 3"},
        {{.size_added = 1}, "import.image.size", "instead of"},
        {{.size_added = -1}, "import.image.size", "layer 3 of 3"},
        {{.missing = true}, "import.image.missing", "layer 3 of 3: blobs/sha256/"},
        {{.uncounted = true}, "import.image.diff-id", "different numbers of layers"},
        {{.cut = 700}, "import.read.truncated", "layer 3 of 3"},
        {{.cut = 9, .filter = gzip}, "import.read.truncated", "layer 3 of 3"},
        {{.media_type = CONTAINER_LAYER "+gzip+encrypted"}, "import.image.media-type", "encrypted"},
        {{.media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"},
         "import.image.media-type",
         "stored outside the archive"},
        {{.media_type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
         "import.image.media-type",
         "stored outside the archive"},
        {{.media_type = "application/vnd.example\\u001b[1m"},
         "import.image.media-type",
         "unknown type (\"application/vnd.example\\033[1m\")"},
        {{.media_type = CONTAINER_LAYER "+rot13"}, "import.image.media-type", "unknown type"},
        {{.config_type = "application/vnd.cncf.helm.config.v1+json"},
         "import.image.media-type",
         "not a container image but \"application/vnd.cncf.helm.config.v1+json\""},
        {{.digest = "../../../../../../../../../../../../../../../../../../../etc/shadow"},
         "import.image.bad-digest",
         "64 hex digits"},
        {{.digest = "ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD"},
         "import.image.bad-digest",
         "64 hex digits"},
        {{.diff_id = "00"}, "import.image.bad-digest", "64 hex digits"},
        {{.architecture = "arm64"}, "import.image.platform", "linux/arm64"},
        {{.architecture = "arm64", .no_platform = true}, "import.image.platform", "linux/arm64"},
        {{.nesting = 5}, "import.image.too-many", "nested too deeply"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        layering_fails(fixture, &rows[i].options, rows[i].id, rows[i].message);
}

static void test_refused_layers_without_a_tar(Layering *fixture, gconstpointer data)
{
    GByteArray *text = layering_begin(fixture);
    g_autofree char *words = g_strnfill(2000, 'w');
    g_byte_array_append(text, (const guint8 *)words, 2000);
    layering_fails(fixture, &(Container){0}, "import.open.not-a-tar", "layer 4 of 4: not a tar");
    layering_fails(fixture, &(Container){.filter = gzip}, "import.open.not-a-tar", "layer 4 of 4");
}

static void test_refused_numbers_of_layers(Layering *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) many = g_ptr_array_new();
    for (guint i = 0; i < 1001; i++)
        g_ptr_array_add(many, fixture->layers->pdata[0]);
    g_autoptr(GByteArray) outer = container_new_layout(many, &(Container){0});
    importing_fails(&fixture->base, outer, "import.image.too-many", "more than 1000 layers");
}

/* Expect an archive with this index.json to be rejected. */
static void index_fails(Layering *fixture, const char *json, gsize size, const char *id,
                        const char *message)
{
    g_autoptr(GByteArray) outer = g_byte_array_new();
    TARBALL_ADD(outer, .path = "oci-layout", .data = "{\"imageLayoutVersion\":\"1.0.0\"}");
    TARBALL_ADD(outer, .path = "index.json", .data = json, .size = size);
    tarball_end(outer);
    importing_fails(&fixture->base, outer, id, message);
}

static void test_refused_indexes(Layering *fixture, gconstpointer data)
{
    static const struct {
        const char *json;
        const char *id;
        const char *message;
    } rows[] = {
        {"", "import.image.bad-json", "index.json"},
        {"no", "import.image.bad-json", "not JSON"},
        {"[]", "import.image.bad-json", "not an object"},
        {"{}", "import.image.bad-json", "no list of manifests"},
        {"{\"manifests\":{}}", "import.image.bad-json", "no list of manifests"},
        {"{\"manifests\":[]}", "import.image.platform", "no platform at all"},
        {"{\"manifests\":[1]}", "import.image.bad-json", "descriptor is missing"},
        {"{\"manifests\":[{\"size\":1}]}", "import.image.bad-digest", "64 hex"},
        {"{\"manifests\":[{\"digest\":\"sha512:00\",\"size\":1}]}", "import.image.bad-digest",
         "hex"},
        {"{\"manifests\":[{\"size\":-1}]}", "import.image.bad-json", "size"},
        {"{\"manifests\":[{\"size\":\"1\"}]}", "import.image.bad-json", "size"},
        {"{\"manifests\":[],\"layers\":[]}", "import.image.bad-json", "document type"},
        {"{\"manifests\":[],\"mediaType\":\"" CONTAINER_MANIFEST "\"}", "import.image.bad-json",
         "document type"},
        {"/* \" */ {\"manifests\":[]}", "import.image.bad-json", "not JSON"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        index_fails(fixture, rows[i].json, strlen(rows[i].json), rows[i].id, rows[i].message);

    gsize huge = (4 << 20) + 1;
    g_autofree char *blanks = g_strnfill(huge, ' ');
    index_fails(fixture, blanks, huge, "import.image.too-large", "index.json");
    memset(blanks, '[', 1 << 20); /* a recursive parser would need a megabyte of stack */
    index_fails(fixture, blanks, 1 << 20, "import.image.bad-json", "nesting is too deep");
}

/* An index cannot contain its own digest; a false digest is rejected like that of any blob. */
static void test_refused_cycles_of_indexes(Layering *fixture, gconstpointer data)
{
    g_autofree char *digits = container_digits("circle", 6);
    g_autofree char *inner = g_strdup_printf("{\"manifests\":[{\"mediaType\":\"%s\",\"digest\":"
                                             "\"sha256:%s\",\"size\":%d}]}",
                                             CONTAINER_INDEX, digits, 165);
    g_assert_cmpuint(strlen(inner), ==, 165);
    g_autofree char *path = g_strconcat("blobs/sha256/", digits, NULL);
    g_autoptr(GByteArray) outer = g_byte_array_new();
    TARBALL_ADD(outer, .path = path, .data = inner);
    TARBALL_ADD(outer, .path = "index.json", .data = inner);
    tarball_end(outer);
    importing_fails(&fixture->base, outer, "import.image.digest", path);
}

static void test_refused_manifests(Layering *fixture, gconstpointer data)
{
    static const struct {
        const char *json;
        const char *id;
    } rows[] = {
        {"{\"layers\":[]}", "import.image.bad-json"},
        {"{\"config\":{},\"layers\":[]}", "import.image.bad-json"},
        {"{\"config\":{}}", "import.image.bad-json"},
        {"[]", "import.image.bad-json"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) outer = g_byte_array_new();
        g_autofree char *one =
            container_add_blob(outer, CONTAINER_MANIFEST, rows[i].json, strlen(rows[i].json), "");
        container_end_layout(outer, one);
        importing_fails(&fixture->base, outer, rows[i].id, "blobs/sha256/");
    }
    gsize huge = (4 << 20) + 1;
    g_autofree char *blanks = g_strnfill(huge, ' ');
    g_autoptr(GByteArray) outer = g_byte_array_new();
    g_autofree char *one = container_add_blob(outer, CONTAINER_MANIFEST, blanks, huge, "");
    container_end_layout(outer, one);
    importing_fails(&fixture->base, outer, "import.image.too-large", "4 MiB");
}

static void test_refused_layout_versions(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) outer = g_byte_array_new();
    TARBALL_ADD(outer, .path = "oci-layout", .data = "{\"imageLayoutVersion\":\"2.0.0\"}");
    TARBALL_ADD(outer, .path = "index.json", .data = "{\"manifests\":[]}");
    tarball_end(outer);
    importing_fails(&fixture->base, outer, "import.image.bad-json", "oci-layout: ");
}

static void test_refused_choices(Layering *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) other = layering_new_list();
    GByteArray *root = tarball_new_rootfs();
    tarball_end(root);
    g_ptr_array_add(other, root);
    g_autoptr(GByteArray) outer = g_byte_array_new();
    g_autofree char *one =
        container_add_image(outer, fixture->layers, &(Container){.reference = "first:1"});
    g_autofree char *two = container_add_image(outer, other, &(Container){.reference = "other:2"});
    g_autofree char *both = g_strjoin(",", one, two, NULL);
    container_end_layout(outer, both);
    importing_fails(&fixture->base, outer, "import.image.several", "first:1, other:2");
}

static void saved_fails(Layering *fixture, const char *json, const char *id, const char *message)
{
    g_autoptr(GByteArray) outer = g_byte_array_new();
    TARBALL_ADD(outer, .path = "manifest.json", .data = json);
    TARBALL_ADD(outer, .path = "c.json",
                .data = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":["
                        "\"sha256:"
                        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"]}}");
    TARBALL_ADD(outer, .path = "d.json",
                .data =
                    "{\"os\":\"linux\",\"architecture\":\"mips\",\"rootfs\":{\"diff_ids\":[]}}");
    TARBALL_ADD(outer, .path = "round", .type = '2', .target = "about");
    TARBALL_ADD(outer, .path = "about", .type = '2', .target = "round");
    TARBALL_ADD(outer, .path = "passwd", .type = '2', .target = "/etc/passwd");
    TARBALL_ADD(outer, .path = "up", .type = '2', .target = "../../etc/passwd");
    tarball_end(outer);
    importing_fails(&fixture->base, outer, id, message);
}

static void test_case_47_refused(Layering *fixture, gconstpointer data)
{
#define IMAGE(config, layers) "{\"Config\":\"" config "\",\"Layers\":[" layers "]}"
    static const struct {
        const char *json;
        const char *id;
        const char *message;
    } rows[] = {
        {"{}", "import.image.bad-json", "manifest.json: it is not a list"},
        {"[]", "import.image.platform", "no platform at all"},
        {"[{}]", "import.image.bad-json", "no config"},
        {"[1]", "import.image.bad-json", "no config"},
        {"[" IMAGE("none.json", "") "]", "import.image.missing", "none.json"},
        {"[" IMAGE("d.json", "") "]", "import.image.platform", "linux/mips"},
        {"[" IMAGE("c.json", "") "]", "import.image.diff-id", "different numbers"},
        {"[" IMAGE("c.json", "\"../x\"") "]", "import.image.missing", "layer 1 of 1: ../x"},
        {"[" IMAGE("c.json", "\"round\"") "]", "import.image.missing", "round"},
        {"[" IMAGE("c.json", "\"passwd\"") "]", "import.image.missing", "passwd"},
        {"[" IMAGE("c.json", "\"up\"") "]", "import.image.missing", "up"},
        {"[" IMAGE("c.json", "\"c.json\"") "]", "import.open.not-a-tar", "layer 1 of 1"},
        {"[" IMAGE("c.json", "\"\"") "]", "import.image.bad-json", "no list of layers"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        saved_fails(fixture, rows[i].json, rows[i].id, rows[i].message);

    g_autofree char *other = container_digits("other", 5);
    g_autoptr(GByteArray) renamed =
        container_new_saved(fixture->layers, &(Container){.digest = other});
    importing_fails(&fixture->base, renamed, "import.image.digest", other);
    g_autoptr(GByteArray) changed =
        container_new_saved(fixture->layers, &(Container){.diff_id = other});
    importing_fails(&fixture->base, changed, "import.image.diff-id", "layer 3 of 3");
}

static void test_case_47_refused_before_docker_1_10(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) outer = g_byte_array_new();
    g_autofree char *id = container_digits("id", 2);
    g_autofree char *path = g_strconcat(id, "/json", NULL);
    TARBALL_ADD(outer, .path = path, .data = "{}");
    TARBALL_ADD(outer, .path = "repositories", .data = "{}");
    tarball_end(outer);
    importing_fails(&fixture->base, outer, "import.image.too-old", "before 1.10");
}

static void test_refused_archives(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) outer = container_new_layout(fixture->layers, &(Container){0});
    g_byte_array_set_size(outer, outer->len / 512 / 2 * 512 + 100);
    importing_fails(&fixture->base, outer, "import.read.truncated", "x.tar");
    g_autoptr(GByteArray) packed = tarball_filter(outer, gzip);
    importing_fails(&fixture->base, packed, "import.read.truncated", "x.tar");
    g_byte_array_set_size(packed, packed->len - 5);
    importing_fails(&fixture->base, packed, "import.read.truncated", "x.tar");
}

/* Without a spool file the layers go to memory, up to its limit. */
static void test_refused_without_space(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) outer = g_byte_array_new();
    gsize size = 65 << 20;
    g_autofree guint8 *zeros = g_malloc0(size);
    TARBALL_ADD(outer, .path = "oci-layout", .data = zeros, .size = size);
    g_autoptr(GByteArray) packed = tarball_filter(outer, zstd);
    importing_fails(&fixture->base, packed, "import.spool.too-large", "64 MiB");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    LAYERING_ADD("case-48-refused-layers", test_refused_layers);
    LAYERING_ADD("case-48-refused-layers-without-a-tar", test_refused_layers_without_a_tar);
    LAYERING_ADD("case-48-refused-numbers-of-layers", test_refused_numbers_of_layers);
    LAYERING_ADD("case-48-refused-indexes", test_refused_indexes);
    LAYERING_ADD("case-48-refused-cycles-of-indexes", test_refused_cycles_of_indexes);
    LAYERING_ADD("case-48-refused-manifests", test_refused_manifests);
    LAYERING_ADD("case-48-refused-layout-versions", test_refused_layout_versions);
    LAYERING_ADD("case-48-refused-choices", test_refused_choices);
    LAYERING_ADD("case-48-refused-archives", test_refused_archives);
    LAYERING_ADD("case-48-refused-without-space", test_refused_without_space);
    LAYERING_ADD("case-47-refused", test_case_47_refused);
    LAYERING_ADD("case-47-refused-before-docker-1.10", test_case_47_refused_before_docker_1_10);
    return g_test_run();
}

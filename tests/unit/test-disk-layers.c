/* SPDX-License-Identifier: MIT
 *
 * Whole imports of container images, checked by e2fsprogs' programs.
 */
#include "../lib/layering.h"

#include "base/fd.h"

#include <string.h>
#include <unistd.h>

static const char *const gzip[] = {"gzip", "-c", NULL};
static const char *const zstd[] = {"zstd", "-qc", NULL};

/* --- accepted archives --- */

static void test_case_48_layouts(Layering *fixture, gconstpointer data)
{
    const Container *options = data;
    g_autoptr(GByteArray) outer = container_new_layout(fixture->layers, options);
    layering_ok(fixture, outer);
    layering_expect_merged(fixture);

    const BerthImageOrigin *origin = fixture->base.report.origin;
    g_assert_nonnull(origin);
    g_assert_cmpstr(origin->platform, ==, "linux/amd64");
    g_assert_cmpstr(origin->created, ==, "2023-11-14T22:13:20Z");
    g_assert_cmpstr(origin->reference, ==, options->reference);
    g_assert_cmpuint(origin->layers, ==, 3);
}

static void test_case_48_compressed_archives(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) outer =
        container_new_layout(fixture->layers, &(Container){.filter = gzip});
    g_autoptr(GByteArray) packed = tarball_filter(outer, zstd);
    layering_ok(fixture, packed);
    layering_expect_merged(fixture);
}

typedef struct {
    const GByteArray *bytes;
    int fd;
} Writer;

static gpointer write_slowly(gpointer data)
{
    Writer *writer = data;
    for (gsize done = 0; done < writer->bytes->len; done += 1000) {
        gsize piece = MIN(1000, writer->bytes->len - done);
        g_assert_cmpint(berth_fd_write_all(writer->fd, writer->bytes->data + done, piece), ==, 0);
    }
    berth_fd_close(&writer->fd);
    return NULL;
}

static void import_pipe(Layering *fixture, const GByteArray *bytes)
{
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    Writer writer = {.bytes = bytes, .fd = ends[1]};
    GThread *thread = g_thread_new("writer", write_slowly, &writer);
    g_autoptr(GError) error = NULL;
    make_image_report(ends[0], "pipe", fixture->base.image, IMPORTING_SIZE, NULL, NULL,
                      &fixture->base.report, &error);
    g_assert_no_error(error);
    g_thread_join(thread);
    berth_fd_close(&ends[0]);
    oracle_check(fixture->base.image);
}

static void test_case_48_pipes(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) outer = container_new_layout(fixture->layers, &(Container){0});
    import_pipe(fixture, outer);
    g_assert_cmpuint(fixture->base.report.bytes, ==, outer->len);
    layering_expect_merged(fixture);
}

/* From the current offset, as in `{ head -c 512; berth import x -; } < file`. */
static void test_case_48_from_the_middle_of_a_file(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) outer = container_new_layout(fixture->layers, &(Container){0});
    g_autofree guint8 *noise = g_malloc(777);
    memset(noise, 'n', 777);
    g_byte_array_prepend(outer, noise, 777);
    berth_autofd int fd = tarball_open(outer);
    g_assert_cmpint(lseek(fd, 777, SEEK_SET), ==, 777);
    g_autoptr(GError) error = NULL;
    make_image_report(fd, "x", fixture->base.image, IMPORTING_SIZE, NULL, NULL,
                      &fixture->base.report, &error);
    g_assert_no_error(error);
    layering_expect_merged(fixture);
}

/* One archive with three platforms gives the requested one. */
static void test_case_48_platforms(Layering *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) other = layering_new_list();
    GByteArray *foreign = tarball_new_rootfs();
    TARBALL_ADD(foreign, .path = "foreign", .data = "x");
    tarball_end(foreign);
    g_ptr_array_add(other, foreign);

    for (guint i = 0; i < 2; i++) {
        bool no_platform = i == 1;
        g_autoptr(GByteArray) outer = g_byte_array_new();
        g_autofree char *arm = container_add_image(
            outer, other,
            &(Container){.architecture = "arm64", .variant = "v8", .no_platform = no_platform});
        g_autofree char *own =
            container_add_image(outer, fixture->layers, &(Container){.no_platform = no_platform});
        g_autofree char *s390 = container_add_image(
            outer, other, &(Container){.architecture = "s390x", .no_platform = no_platform});
        g_autofree char *note = g_strdup_printf(
            "{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":5,\"platform\":{"
            "\"os\":\"unknown\",\"architecture\":\"unknown\"},\"annotations\":{"
            "\"vnd.docker.reference.type\":\"attestation-manifest\"}}",
            CONTAINER_MANIFEST, "0000000000000000000000000000000000000000000000000000000000000000");
        g_autofree char *all = g_strjoin(",", arm, note, own, s390, NULL);
        container_end_layout(outer, all);
        layering_ok(fixture, outer);
        layering_expect_merged(fixture);
        oracle_expect_missing(fixture->base.image, "/foreign");
        g_assert_cmpint(unlink(fixture->base.image), ==, 0);
    }
}

/* Several tags of one image count as one. */
static void test_case_48_tags(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) outer = g_byte_array_new();
    g_autofree char *one =
        container_add_image(outer, fixture->layers, &(Container){.reference = "a"});
    g_autofree char *two =
        container_add_image(outer, fixture->layers, &(Container){.reference = "b"});
    g_autofree char *both = g_strjoin(",", one, two, NULL);
    container_end_layout(outer, both);
    layering_ok(fixture, outer);
    layering_expect_merged(fixture);
    g_assert_cmpstr(fixture->base.report.origin->reference, ==, "a");
}

/* A signature stored beside its image. */
static void test_case_48_artifacts(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) outer = g_byte_array_new();
    g_autofree char *empty =
        container_add_blob(outer, "application/vnd.oci.empty.v1+json", "{}", 2, "");
    g_autofree char *signature =
        g_strdup_printf("{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s]}", empty, empty);
    g_autofree char *first =
        container_add_blob(outer, CONTAINER_MANIFEST, signature, strlen(signature), "");
    g_autofree char *image =
        container_add_image(outer, fixture->layers, &(Container){.no_platform = true});
    g_autofree char *both = g_strjoin(",", first, image, NULL);
    guint before = outer->len;
    container_end_layout(outer, both);
    layering_ok(fixture, outer);
    layering_expect_merged(fixture);

    g_byte_array_set_size(outer, before);
    container_end_layout(outer, first);
    g_assert_cmpint(unlink(fixture->base.image), ==, 0);
    importing_fails(&fixture->base, outer, "import.image.platform",
                    "application/vnd.oci.empty.v1+json");
}

static char *image_digits(const char *path)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, false, NULL);
    g_assert_nonnull(file);
    return container_digits(g_mapped_file_get_contents(file), g_mapped_file_get_length(file));
}

/* Equal layers give equal images, whatever the archive format. */
static void test_case_48_same_bytes(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) plain = container_new_layout(fixture->layers, &(Container){0});
    g_autoptr(GByteArray) zipped =
        container_new_layout(fixture->layers, &(Container){.filter = gzip});
    g_autoptr(GByteArray) packed = tarball_filter(plain, zstd);
    const GByteArray *ways[] = {plain, zipped, packed};
    g_autofree char *first = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++) {
        layering_ok(fixture, ways[i]);
        g_autofree char *digits = image_digits(fixture->base.image);
        if (first == NULL)
            first = g_strdup(digits);
        g_assert_cmpstr(digits, ==, first);
        g_assert_cmpint(unlink(fixture->base.image), ==, 0);
    }
}

static void test_case_47_docker_save(Layering *fixture, gconstpointer data)
{
    GByteArray *copy = g_byte_array_new();
    const GByteArray *second = fixture->layers->pdata[1];
    g_byte_array_append(copy, second->data, second->len);
    g_ptr_array_add(fixture->layers, copy); /* becomes a symbolic link */
    g_autoptr(GByteArray) outer =
        container_new_saved(fixture->layers, &(Container){.reference = "debian:12"});
    layering_ok(fixture, outer);
    oracle_expect_content(fixture->base.image, "/usr/lib/os-release", "ID=upper\n", 9);
    oracle_expect_content(fixture->base.image, "/linked", "stays", 5);
    g_assert_cmpstr(fixture->base.report.origin->reference, ==, "debian:12");
    g_assert_cmpuint(fixture->base.report.origin->layers, ==, 4);
}

/* Since Docker 25 an archive has both formats; the layout is preferred, since it has digests. */
static void test_case_47_layouts_are_preferred(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) outer = g_byte_array_new();
    g_autofree char *image = container_add_image(outer, fixture->layers, &(Container){0});
    TARBALL_ADD(outer, .path = "manifest.json",
                .data = "[{\"Config\":\"none\",\"RepoTags\":null,\"Layers\":[\"none\"]}]");
    TARBALL_ADD(outer, .path = "repositories", .data = "{}");
    container_end_layout(outer, image);
    layering_ok(fixture, outer);
    layering_expect_merged(fixture);
}

static void test_empty_layers(Layering *fixture, gconstpointer data)
{
    tarball_end(layering_begin(fixture));
    g_autoptr(GByteArray) outer =
        container_new_layout(fixture->layers, &(Container){.filter = gzip});
    layering_ok(fixture, outer);
    layering_expect_merged(fixture);
}

typedef struct {
    guint64 done;
    guint64 total;
    bool back;
} Seen;

static bool on_progress(const BerthProgress *progress, gpointer user_data)
{
    Seen *seen = user_data;
    seen->back = seen->back || progress->bytes_done < seen->done;
    seen->done = progress->bytes_done;
    seen->total = progress->bytes_total;
    return true;
}

static void test_progress(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) outer = container_new_layout(fixture->layers, &(Container){0});
    g_autoptr(GByteArray) packed = tarball_filter(outer, gzip);
    const GByteArray *both[] = {outer, packed};
    for (gsize i = 0; i < G_N_ELEMENTS(both); i++) {
        Seen seen = {0};
        berth_autofd int fd = tarball_open(both[i]);
        g_autoptr(GError) error = NULL;
        make_image(fd, "x", fixture->base.image, IMPORTING_SIZE, on_progress, &seen, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(seen.total, >, 0);
        g_assert_cmpuint(seen.done, ==, seen.total);
        g_assert_false(seen.back);
        g_assert_cmpint(unlink(fixture->base.image), ==, 0);
    }
}

/* --- root file systems with the marker names --- */

static void test_case_48_root_file_systems_with_marker_names(Layering *fixture, gconstpointer data)
{
    static const char *const names[] = {"oci-layout", "index.json", "manifest.json", "repositories",
                                        "blobs/sha256/x"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GByteArray) tarball = g_byte_array_new();
        TARBALL_ADD(tarball, .path = "./", .type = '5', .mode = 0755);
        TARBALL_ADD(tarball, .path = names[i], .data = "mine");
        TARBALL_ADD(tarball, .path = "etc/.wh.x", .data = "w");
        tarball_end(tarball);
        g_autoptr(GByteArray) packed = tarball_filter(tarball, gzip);
        const GByteArray *both[] = {tarball, packed};
        g_autofree char *path = g_strconcat("/", names[i], NULL);
        for (gsize j = 0; j < G_N_ELEMENTS(both); j++) {
            layering_ok(fixture, both[j]);
            oracle_expect_content(fixture->base.image, path, "mine", 4);
            oracle_expect_content(fixture->base.image, "/etc/.wh.x", "w", 1);
            g_assert_null(fixture->base.report.origin);
            g_assert_cmpint(unlink(fixture->base.image), ==, 0);
        }
    }
}

static void test_case_48_docker_export(Layering *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = ".dockerenv", .mode = 0755);
    TARBALL_ADD(tarball, .path = "dev/console", .mode = 0600);
    TARBALL_ADD(tarball, .path = "etc/resolv.conf", .mode = 0755);
    TARBALL_ADD(tarball, .path = "manifest.json", .data = "[]");
    tarball_end(tarball);
    import_pipe(fixture, tarball);
    oracle_expect_stat(fixture->base.image, "/.dockerenv", "Type: regular");
    oracle_expect_content(fixture->base.image, "/manifest.json", "[]", 2);
    g_assert_null(fixture->base.report.origin);
}

/* --- whiteouts --- */

static void test_case_49_links_across_layers(Layering *fixture, gconstpointer data)
{
    GByteArray *top = layering_begin(fixture);
    TARBALL_ADD(top, .path = ".wh.stays", .data = "");
    TARBALL_ADD(top, .path = "again", .type = '1', .target = "linked");
    tarball_end(top);
    g_autoptr(GByteArray) outer = container_new_layout(fixture->layers, &(Container){0});
    layering_ok(fixture, outer);
    oracle_expect_missing(fixture->base.image, "/stays");
    oracle_expect_content(fixture->base.image, "/again", "stays", 5);
    oracle_expect_stat(fixture->base.image, "/again", "Links: 2 ");

    g_assert_cmpint(unlink(fixture->base.image), ==, 0);
    GByteArray *wrong = layering_begin(fixture);
    TARBALL_ADD(wrong, .path = ".wh.again", .data = "");
    TARBALL_ADD(wrong, .path = "more", .type = '1', .target = "again");
    tarball_end(wrong);
    layering_fails(fixture, &(Container){0}, "import.tree.link-missing", "more");
}

static void test_case_49_leftovers_of_aufs(Layering *fixture, gconstpointer data)
{
    GByteArray *top = layering_begin(fixture);
    TARBALL_ADD(top, .path = ".wh..wh.aufs", .data = "");
    TARBALL_ADD(top, .path = ".wh..wh.plnk/", .type = '5', .mode = 0700);
    TARBALL_ADD(top, .path = ".wh..wh.plnk/12.34", .data = "left over");
    TARBALL_ADD(top, .path = ".wh..wh.orph/", .type = '5', .mode = 0700);
    TARBALL_ADD(top, .path = "d/.wh.new", .type = '1', .target = ".wh..wh.aufs");
    tarball_end(top);
    g_autoptr(GByteArray) outer = container_new_layout(fixture->layers, &(Container){0});
    layering_ok(fixture, outer);
    oracle_expect_missing(fixture->base.image, "/.wh..wh.aufs");
    oracle_expect_missing(fixture->base.image, "/.wh..wh.plnk");
    oracle_expect_missing(fixture->base.image, "/.wh..wh.orph");
    oracle_expect_missing(fixture->base.image, "/d/new");
    oracle_expect_stat(fixture->base.image, "/d", "Type: directory");
}

static void test_case_49_bad_names(Layering *fixture, gconstpointer data)
{
    static const char *const names[] = {".wh.", "d/.wh..", ".wh...", ".wh./x", ".wh.d/x"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        GByteArray *top = layering_begin(fixture);
        TARBALL_ADD(top, .path = names[i], .data = "");
        tarball_end(top);
        layering_fails(fixture, &(Container){0}, "import.layer.bad-whiteout", names[i]);
        g_ptr_array_set_size(fixture->layers, 3);
    }
}

/* A whiteout's data is discarded; the next entry must not get it. */
static void test_case_49_whiteouts_with_data(Layering *fixture, gconstpointer data)
{
    GByteArray *top = layering_begin(fixture);
    TARBALL_ADD(top, .path = "d/.wh.new", .data = "what is this");
    TARBALL_ADD(top, .path = "d/next", .data = "right");
    tarball_end(top);
    g_autoptr(GByteArray) outer = container_new_layout(fixture->layers, &(Container){0});
    layering_ok(fixture, outer);
    oracle_expect_missing(fixture->base.image, "/d/new");
    oracle_expect_content(fixture->base.image, "/d/next", "right", 5);
}

static void test_case_16_directories_become_files(Layering *fixture, gconstpointer data)
{
    GByteArray *top = layering_begin(fixture);
    TARBALL_ADD(top, .path = "usr/lib", .type = '2', .target = "nowhere");
    TARBALL_ADD(top, .path = "d", .data = "a file");
    tarball_end(top);
    g_autoptr(GByteArray) outer = container_new_layout(fixture->layers, &(Container){0});
    layering_ok(fixture, outer);
    oracle_expect_stat(fixture->base.image, "/usr/lib", "Type: symlink");
    oracle_expect_content(fixture->base.image, "/d", "a file", 6);
}

static void test_case_17_links_become_directories(Layering *fixture, gconstpointer data)
{
    GByteArray *link = layering_begin(fixture);
    TARBALL_ADD(link, .path = "alias", .type = '2', .target = "d");
    tarball_end(link);
    GByteArray *top = layering_begin(fixture);
    TARBALL_ADD(top, .path = "alias", .type = '5', .mode = 0711);
    TARBALL_ADD(top, .path = "alias/own", .data = "own");
    tarball_end(top);
    g_autoptr(GByteArray) outer = container_new_layout(fixture->layers, &(Container){0});
    layering_ok(fixture, outer);
    oracle_expect_stat(fixture->base.image, "/alias", "Type: directory    Mode:  0711");
    oracle_expect_missing(fixture->base.image, "/d/own");
}

int main(int argc, char **argv)
{
    static const Container plain = {.reference = "x:1"};
    static const Container gzipped = {.filter = gzip, .media_type = CONTAINER_LAYER "+gzip"};
    static const Container zstandard = {.filter = zstd, .media_type = CONTAINER_LAYER "+zstd"};
    static const Container docker = {
        .filter = gzip,
        .media_type = "application/vnd.docker.image.rootfs.diff.tar.gzip",
        .config_type = "application/vnd.docker.container.image.v1+json"};
    static const Container nested = {.nesting = 3, .reference = "debian:12"};
    static const struct {
        const char *name;
        const Container *options;
    } layouts[] = {{"plain", &plain},
                   {"gzip", &gzipped},
                   {"zstd", &zstandard},
                   {"docker", &docker},
                   {"nested", &nested}};
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(layouts); i++) {
        g_autofree char *name = g_strconcat("/disk/layers/case-48-layouts/", layouts[i].name, NULL);
        g_test_add(name, Layering, layouts[i].options, layering_set_up, test_case_48_layouts,
                   layering_tear_down);
    }
    LAYERING_ADD("case-48-compressed-archives", test_case_48_compressed_archives);
    LAYERING_ADD("case-48-pipes", test_case_48_pipes);
    LAYERING_ADD("case-48-from-the-middle-of-a-file", test_case_48_from_the_middle_of_a_file);
    LAYERING_ADD("case-48-platforms", test_case_48_platforms);
    LAYERING_ADD("case-48-tags", test_case_48_tags);
    LAYERING_ADD("case-48-artifacts", test_case_48_artifacts);
    LAYERING_ADD("case-48-same-bytes", test_case_48_same_bytes);
    LAYERING_ADD("case-48-empty-layers", test_empty_layers);
    LAYERING_ADD("case-48-progress", test_progress);
    LAYERING_ADD("case-48-root-file-systems-with-marker-names",
                 test_case_48_root_file_systems_with_marker_names);
    LAYERING_ADD("case-48-docker-export", test_case_48_docker_export);
    LAYERING_ADD("case-47-docker-save", test_case_47_docker_save);
    LAYERING_ADD("case-47-layouts-are-preferred", test_case_47_layouts_are_preferred);
    LAYERING_ADD("case-49-links-across-layers", test_case_49_links_across_layers);
    LAYERING_ADD("case-49-leftovers-of-aufs", test_case_49_leftovers_of_aufs);
    LAYERING_ADD("case-49-bad-names", test_case_49_bad_names);
    LAYERING_ADD("case-49-whiteouts-with-data", test_case_49_whiteouts_with_data);
    LAYERING_ADD("case-16-directories-become-files", test_case_16_directories_become_files);
    LAYERING_ADD("case-17-links-become-directories", test_case_17_links_become_directories);
    return g_test_run();
}

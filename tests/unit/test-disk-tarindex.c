/* SPDX-License-Identifier: MIT */
#include "disk/archive/tarindex.h"

#include "../lib/tarball.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/layers/layers.h"

#include <string.h>
#include <unistd.h>

static BerthTarIndex *make_index(int fd, const GByteArray *bytes)
{
    g_autoptr(GError) error = NULL;
    BerthTarIndex *index = berth_tarindex_new(fd, 0, bytes->len, &error);
    g_assert_no_error(error);
    return index;
}

static void expect_content(int fd, const BerthTarIndex *index, const char *path, const char *text)
{
    BerthTarRange range;
    g_autoptr(GError) error = NULL;
    berth_tarindex_find(index, path, &range, &error);
    g_assert_no_error(error);
    g_autofree char *data = g_malloc(range.size);
    g_assert_cmpint(pread(fd, data, range.size, (off_t)range.offset), ==, (gssize)range.size);
    g_assert_cmpmem(data, range.size, text, strlen(text));
}

static void expect_missing(const BerthTarIndex *index, const char *path)
{
    BerthTarRange range;
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_tarindex_find(index, path, &range, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.image.missing");
}

static void test_names(void)
{
    g_autofree char *letters = g_strnfill(120, 'f');
    g_autofree char *far = g_strconcat("d/", letters, NULL);
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "./", .type = '5');
    TARBALL_ADD(tarball, .path = "./a//b/./c", .data = "one");
    TARBALL_ADD(tarball, .path = "twice", .data = "old");
    TARBALL_ADD(tarball, .path = "/twice", .data = "new");
    TARBALL_ADD(tarball, .path = far, .data = "far");
    TARBALL_ADD(tarball, .path = "../out", .data = "x");
    TARBALL_ADD(tarball, .path = "was", .data = "x");
    TARBALL_ADD(tarball, .path = "was", .type = '5');
    TARBALL_ADD(tarball, .path = "empty");
    tarball_end(tarball);
    TARBALL_ADD(tarball, .path = "behind-the-end", .data = "x");
    berth_autofd int fd = tarball_open(tarball);
    g_autoptr(BerthTarIndex) index = make_index(fd, tarball);
    g_assert_true(berth_tarindex_is_complete(index));
    expect_content(fd, index, "a/b/c", "one");
    expect_content(fd, index, "twice", "new");
    expect_content(fd, index, far, "far");
    expect_content(fd, index, "empty", "");
    expect_missing(index, "../out");
    expect_missing(index, "out");
    expect_missing(index, "was");
    expect_missing(index, "a");
    expect_missing(index, "behind-the-end");
    g_assert_true(berth_tarindex_has_top(index, "a"));
    g_assert_true(berth_tarindex_has_top(index, "was"));
    g_assert_false(berth_tarindex_has_top(index, "c"));
}

/* Extended headers of any writer are not members. */
static void test_special_headers(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "label", .type = 'V');
    TARBALL_ADD(tarball, .path = "globals", .type = 'g', .data = "14 path=every\n");
    TARBALL_ADD(tarball, .path = "acl", .type = 'A', .data = "user::rw-");
    TARBALL_ADD(tarball, .path = "solaris", .type = 'X', .data = "12 path=sun\n");
    TARBALL_ADD(tarball, .path = "x", .data = "one");
    TARBALL_ADD(tarball, .path = "y", .data = "two");
    tarball_end(tarball);
    berth_autofd int fd = tarball_open(tarball);
    g_autoptr(BerthTarIndex) index = make_index(fd, tarball);
    static const char *const none[] = {"label", "globals", "acl", "solaris", "x", "y"};
    for (gsize i = 0; i < G_N_ELEMENTS(none); i++)
        g_assert_false(berth_tarindex_has_top(index, none[i]));
    expect_content(fd, index, "sun", "one");
    expect_content(fd, index, "every", "two");
}

static void test_links(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "x/link", .type = '2', .target = "../y/file");
    TARBALL_ADD(tarball, .path = "y/file", .data = "here");
    TARBALL_ADD(tarball, .path = "hard", .type = '1', .target = "./x/link");
    TARBALL_ADD(tarball, .path = "absolute", .type = '2', .target = "/y/file");
    TARBALL_ADD(tarball, .path = "out", .type = '2', .target = "../y/file");
    TARBALL_ADD(tarball, .path = "self", .type = '2', .target = "self");
    TARBALL_ADD(tarball, .path = "dangling", .type = '2', .target = "nowhere");
    tarball_end(tarball);
    berth_autofd int fd = tarball_open(tarball);
    g_autoptr(BerthTarIndex) index = make_index(fd, tarball);
    expect_content(fd, index, "x/link", "here");
    expect_content(fd, index, "hard", "here");
    expect_content(fd, index, "absolute", "here");
    expect_missing(index, "out");
    expect_missing(index, "self");
    expect_missing(index, "dangling");
}

/* GNU tar's own format, with names and targets beyond a header, and both formats of holes. */
static void test_gnu_tar(void)
{
    static const char *const formats[] = {"gnu", "pax", "oldgnu"};
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *script = g_strdup_printf(
            "d=$(mktemp -d) && cd $d && n=$(printf 'n%%.0s' $(seq 150)) && echo long > $n && "
            "ln -s $n link && truncate -s 1M holes && echo end >> holes && echo after > z && "
            "tar --format=%s -S -cf - $n link holes z && rm -rf $d",
            formats[i]);
        const char *const argv[] = {"bash", "-c", script, NULL};
        g_autoptr(GByteArray) nothing = g_byte_array_new();
        g_autoptr(GByteArray) tarball = tarball_filter(nothing, argv);
        berth_autofd int fd = tarball_open(tarball);
        g_autoptr(BerthTarIndex) index = make_index(fd, tarball);
        g_autofree char *name = g_strnfill(150, 'n');
        expect_content(fd, index, name, "long\n");
        expect_content(fd, index, "link", "long\n");
        expect_content(fd, index, "z", "after\n");

        BerthTarRange range;
        g_autoptr(GError) error = NULL;
        g_assert_false(berth_tarindex_find(index, "holes", &range, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "import.image.sparse");
    }
}

static void fails(const GByteArray *bytes, const char *id)
{
    berth_autofd int fd = tarball_open(bytes);
    g_autoptr(GError) error = NULL;
    g_assert_null(berth_tarindex_new(fd, 0, bytes->len, &error));
    g_assert_cmpstr(berth_error_id(error), ==, id);
}

static void test_damage(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    g_autofree char *data = g_strnfill(2000, 'd');
    TARBALL_ADD(tarball, .path = "a", .data = data);
    guint whole = tarball->len;
    g_byte_array_set_size(tarball, 512 + 1999);
    fails(tarball, "import.read.truncated");
    g_byte_array_set_size(tarball, 300);
    fails(tarball, "import.read.truncated");
    g_byte_array_set_size(tarball, 0);
    TARBALL_ADD(tarball, .path = "a", .data = data);
    g_assert_cmpuint(tarball->len, ==, whole);
    tarball->data[0] ^= 1;
    fails(tarball, "import.read.damaged");

    /* complete even without an end mark and padding */
    tarball->data[0] ^= 1;
    g_byte_array_set_size(tarball, 512 + 2000);
    berth_autofd int fd = tarball_open(tarball);
    g_autoptr(BerthTarIndex) index = make_index(fd, tarball);
    expect_content(fd, index, "a", data);
}

/* Change every byte of the headers in turn: an index or an error, and no read beyond the file. */
static void test_changed_bytes(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    tarball_add_pax(tarball, "path", "named", 5);
    TARBALL_ADD(tarball, .path = "a", .data = "content");
    tarball_end(tarball);
    for (guint i = 0; i < tarball->len; i++) {
        guint8 before = tarball->data[i];
        tarball->data[i] = (guint8)(before ^ (1 << i % 8));
        berth_autofd int fd = tarball_open(tarball);
        g_autoptr(BerthTarIndex) index = berth_tarindex_new(fd, 0, tarball->len, NULL);
        BerthTarRange range;
        if (index != NULL && berth_tarindex_find(index, "named", &range, NULL))
            g_assert_cmpuint(range.offset + range.size, <=, tarball->len);
        tarball->data[i] = before;
    }
}

static void expect_suspect(const TarballItem *item, bool suspect)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "./", .type = '5');
    tarball_add(tarball, item);
    g_assert_cmpint(berth_layers_probe(tarball->data, tarball->len), ==, suspect);
}

static void test_case_48_detection(void)
{
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static const char *const images[] = {
        "oci-layout",   "./oci-layout",   "index.json",    "manifest.json",
        "repositories", "blobs/",         "blobs/sha256/", HEX ".json",
        HEX ".tar",     HEX "/layer.tar", HEX ".tar.gz",   ("sha256:" HEX),
    };
    static const char *const roots[] = {
        "etc/",           "bin",  ".dockerenv",   "blob",           "manifest.json.old", HEX "x",
        "usr/oci-layout", "0123", "./etc/passwd", "repositories.d",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(images); i++)
        expect_suspect(&(TarballItem){.path = images[i]}, true);
    for (gsize i = 0; i < G_N_ELEMENTS(roots); i++)
        expect_suspect(&(TarballItem){.path = roots[i]}, false);

    /* a first member larger than the probed head, and names in PAX headers */
    g_autofree char *large = g_strnfill(9000, 'x');
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    tarball_add_pax(tarball, "path", "oci-layout", 10);
    TARBALL_ADD(tarball, .path = "x", .data = large);
    g_assert_true(berth_layers_probe(tarball->data, 3000));
    g_assert_false(berth_layers_probe(tarball->data, 1000));
    g_assert_false(berth_layers_probe(tarball->data, 0));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/tarindex/names", test_names);
    g_test_add_func("/disk/tarindex/special-headers", test_special_headers);
    g_test_add_func("/disk/tarindex/links", test_links);
    g_test_add_func("/disk/tarindex/gnu-tar", test_gnu_tar);
    g_test_add_func("/disk/tarindex/damage", test_damage);
    g_test_add_func("/disk/tarindex/changed-bytes", test_changed_bytes);
    g_test_add_func("/disk/tarindex/case-48-detection", test_case_48_detection);
    return g_test_run();
}

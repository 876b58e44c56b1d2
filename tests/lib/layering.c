/* SPDX-License-Identifier: MIT */
#include "layering.h"

static void byte_array_free(gpointer bytes)
{
    g_byte_array_unref(bytes);
}

GByteArray *layering_begin(Layering *fixture)
{
    GByteArray *layer = g_byte_array_new();
    g_ptr_array_add(fixture->layers, layer);
    return layer;
}

GPtrArray *layering_new_list(void)
{
    return g_ptr_array_new_with_free_func(byte_array_free);
}

void layering_set_up(Layering *fixture, gconstpointer data)
{
    importing_set_up(&fixture->base, data);
    fixture->layers = layering_new_list();
    GByteArray *root = tarball_new_rootfs();
    TARBALL_ADD(root, .path = "usr/lib/os-release", .data = "ID=lower\n");
    TARBALL_ADD(root, .path = "d/old", .data = "old");
    TARBALL_ADD(root, .path = "gone/deep/file", .data = "gone");
    TARBALL_ADD(root, .path = "stays", .mode = 0640, .uid = 5, .data = "stays");
    tarball_end(root);
    g_ptr_array_add(fixture->layers, root);

    GByteArray *second = layering_begin(fixture);
    TARBALL_ADD(second, .path = ".wh.gone", .data = "");
    TARBALL_ADD(second, .path = "usr/lib/os-release", .data = "ID=upper\n");
    TARBALL_ADD(second, .path = "d/new", .data = "new");
    TARBALL_ADD(second, .path = "d/.wh..wh..opq", .data = "");
    tarball_end(second);

    GByteArray *third = layering_begin(fixture);
    TARBALL_ADD(third, .path = "linked", .type = '1', .target = "stays");
    tarball_end(third);
}

void layering_tear_down(Layering *fixture, gconstpointer data)
{
    g_ptr_array_unref(fixture->layers);
    importing_tear_down(&fixture->base, data);
}

void layering_ok(Layering *fixture, const GByteArray *bytes)
{
    g_autoptr(GError) error = NULL;
    importing_try(&fixture->base, bytes, &error);
    g_assert_no_error(error);
    oracle_check(fixture->base.image);
}

void layering_expect_merged(const Layering *fixture)
{
    const char *image = fixture->base.image;
    oracle_expect_content(image, "/etc/os-release", "ID=test\n", 8);
    oracle_expect_content(image, "/usr/lib/os-release", "ID=upper\n", 9);
    oracle_expect_content(image, "/d/new", "new", 3);
    oracle_expect_missing(image, "/d/old");
    oracle_expect_missing(image, "/gone");
    oracle_expect_missing(image, "/.wh.gone");
    oracle_expect_missing(image, "/d/.wh..wh..opq");
    oracle_expect_content(image, "/linked", "stays", 5);
    oracle_expect_stat(image, "/linked", "Links: 2 ");
    oracle_expect_stat(image, "/linked", "User:     5 ");
}

/* Expect the archive of @options to be rejected. */
void layering_fails(Layering *fixture, const Container *options, const char *id,
                    const char *message)
{
    g_autoptr(GByteArray) outer = container_new_layout(fixture->layers, options);
    importing_fails(&fixture->base, outer, id, message);
}

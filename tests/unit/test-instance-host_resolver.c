/* SPDX-License-Identifier: MIT */
#include "instance/host/host_resolver.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    char *dir;
    char *path; /* dir/etc/resolv.conf */
    BerthHostResolver *resolver;
    guint changes;
} World;

static void on_change(gpointer data)
{
    ((World *)data)->changes++;
}

static char *in(const World *world, const char *name)
{
    return g_build_filename(world->dir, name, NULL);
}

static void make_directory(const World *world, const char *name)
{
    g_autofree char *path = in(world, name);
    g_assert_cmpint(g_mkdir_with_parents(path, 0700), ==, 0);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w"); /* overwrite in place, unlike g_file_set_contents */
    g_assert_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* Replace by renaming, as most programs do. */
static void replace(const World *world, const char *name, const char *text)
{
    g_autofree char *path = in(world, name);
    g_autofree char *beside = g_strconcat(path, ".new", NULL);
    write_text(beside, text);
    g_assert_cmpint(rename(beside, path), ==, 0);
}

static void set_up(World *world, gconstpointer data)
{
    *world = (World){.dir = g_dir_make_tmp("berth-resolver-XXXXXX", NULL)};
    world->path = in(world, "etc/resolv.conf");
    make_directory(world, "etc");
}

static void start(World *world)
{
    world->resolver = berth_host_resolver_new(world->path, on_change, world);
    g_assert_cmpuint(world->changes, ==, 0);
}

static void tear_down(World *world, gconstpointer data)
{
    berth_host_resolver_free(world->resolver);
    g_autofree char *command = g_strdup_printf("rm -r '%s'", world->dir);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_free(world->path);
    g_free(world->dir);
}

/* The last byte of the only server; 0 without one. */
static guint server(const World *world)
{
    const BerthResolvers *list = berth_host_resolver_list(world->resolver);
    g_assert_cmpuint(list->count, <=, 1);
    return list->count == 0 ? 0 : list->list[0].address[3];
}

static void expect(World *world, guint last_byte)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_cmpuint(server(world), ==, last_byte);
}

static void test_file(World *world, gconstpointer data)
{
    write_text(world->path, "nameserver 192.0.2.1\n");
    start(world);
    expect(world, 1);
    replace(world, "etc/resolv.conf", "nameserver 192.0.2.2\n");
    expect(world, 2);
    write_text(world->path, "nameserver 192.0.2.3\n");
    expect(world, 3);
    replace(world, "etc/resolv.conf", "nameserver 192.0.2.4\n");
    expect(world, 4);
    g_assert_cmpint(g_unlink(world->path), ==, 0);
    expect(world, 0);
    write_text(world->path, "nameserver 192.0.2.5\n");
    expect(world, 5);
    g_assert_cmpuint(world->changes, ==, 5);
}

static void test_only_changes_are_reported(World *world, gconstpointer data)
{
    write_text(world->path, "nameserver 192.0.2.1\n");
    start(world);
    replace(world, "etc/resolv.conf", "# by hand\nnameserver 192.0.2.1\nsearch example.com\n");
    replace(world, "etc/passwd", "root:x:0:0::/:\n");
    expect(world, 1);
    g_assert_cmpuint(world->changes, ==, 0);
}

static void test_link_whose_target_changes(World *world, gconstpointer data)
{
    make_directory(world, "run/resolve");
    replace(world, "run/resolve/stub.conf", "nameserver 127.0.0.53\n");
    g_assert_cmpint(symlink("../run/resolve/stub.conf", world->path), ==, 0);
    start(world);
    expect(world, 53);
    replace(world, "run/resolve/stub.conf", "nameserver 192.0.2.7\n");
    expect(world, 7);
}

static void test_link_is_replaced(World *world, gconstpointer data)
{
    g_autofree char *beside = in(world, "etc/new");
    make_directory(world, "run/vpn");
    make_directory(world, "run/resolve");
    replace(world, "run/resolve/stub.conf", "nameserver 127.0.0.53\n");
    replace(world, "run/vpn/resolv.conf", "nameserver 192.0.2.8\n");
    g_assert_cmpint(symlink("../run/resolve/stub.conf", world->path), ==, 0);
    start(world);
    g_assert_cmpint(symlink("../run/vpn/resolv.conf", beside), ==, 0);
    g_assert_cmpint(rename(beside, world->path), ==, 0);
    expect(world, 8);
    replace(world, "run/vpn/resolv.conf", "nameserver 192.0.2.9\n"); /* followed, too */
    expect(world, 9);
    replace(world, "run/resolve/stub.conf", "nameserver 192.0.2.1\n");
    expect(world, 9);
}

static void test_target_is_created_later(World *world, gconstpointer data)
{
    g_assert_cmpint(symlink("../run/a/b/stub.conf", world->path), ==, 0);
    make_directory(world, "run");
    start(world);
    expect(world, 0);
    make_directory(world, "run/a");
    expect(world, 0);
    make_directory(world, "run/a/b");
    expect(world, 0);
    replace(world, "run/a/b/stub.conf", "nameserver 192.0.2.4\n");
    expect(world, 4);
}

static void test_cycle_of_links(World *world, gconstpointer data)
{
    g_assert_cmpint(symlink("resolv.conf", world->path), ==, 0);
    start(world);
    expect(world, 0);
    replace(world, "etc/resolv.conf", "nameserver 192.0.2.4\n");
    expect(world, 4);
}

static void test_missing_file(World *world, gconstpointer data)
{
    g_clear_pointer(&world->path, g_free);
    start(world);
    expect(world, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/instance/host_resolver/" name, World, NULL, set_up, function, tear_down)
    ADD("file", test_file);
    ADD("only-changes-are-reported", test_only_changes_are_reported);
    ADD("link-whose-target-changes", test_link_whose_target_changes);
    ADD("link-is-replaced", test_link_is_replaced);
    ADD("target-is-created-later", test_target_is_created_later);
    ADD("cycle-of-links", test_cycle_of_links);
    ADD("missing-file", test_missing_file);
    return g_test_run();
}

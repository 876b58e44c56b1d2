/* SPDX-License-Identifier: MIT */
#include "instance/host/host_names.h"

#include <glib/gstdio.h>
#include <string.h>

typedef struct {
    char *dir;
    char *resolv_conf;
    char *hosts;
    guint changes;
} World;

static void on_change(gpointer data)
{
    ((World *)data)->changes++;
}

static void put(const char *path, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
}

static void set_up(World *world, gconstpointer data)
{
    *world = (World){.dir = g_dir_make_tmp("berth-names-XXXXXX", NULL)};
    world->resolv_conf = g_build_filename(world->dir, "resolv.conf", NULL);
    world->hosts = g_build_filename(world->dir, "hosts", NULL);
}

static void tear_down(World *world, gconstpointer data)
{
    g_remove(world->resolv_conf);
    g_remove(world->hosts);
    g_assert_cmpint(g_rmdir(world->dir), ==, 0);
    g_free(world->resolv_conf);
    g_free(world->hosts);
    g_free(world->dir);
}

static BerthHostNames *start(World *world)
{
    return berth_host_names_new(world->resolv_conf, world->hosts, on_change, world);
}

static void test_search(World *world, gconstpointer data)
{
    static const struct {
        const char *text;
        const char *wanted;
    } rows[] = {
        {"", ""},
        {"nameserver 1.2.3.4\nsearch corp.example lab.corp.example # both\n",
         "corp.example lab.corp.example"},
        {"domain one.example\nsearch two.example\n", "two.example"},
        {"search two.example\ndomain one.example", "one.example"},
        {"search\t a.example  b.example\r\n", "a.example b.example"},
        {"search a;b.example ok.example\n", "ok.example"},
        {"searching a.example\n# search b.example\n", ""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        put(world->resolv_conf, rows[i].text);
        g_autoptr(BerthHostNames) names = start(world);
        g_assert_cmpstr(berth_host_names_search(names), ==, rows[i].wanted);
    }
}

static void test_hosts(World *world, gconstpointer data)
{
    put(world->hosts, "127.0.0.1 localhost\n127.0.1.1 myself\n::1 localhost ip6-localhost\n"
                      "ff02::1 ip6-allnodes\nfe80::1 near\n169.254.1.1 near\n0.0.0.0 ads.example\n"
                      ":: ads.example\n"
                      "192.168.1.5\tnas nas.home # disks\n2001:db8::5 nas\nnonsense here\n"
                      "10.0.0.1 bad;name good\n10.0.0.2\n10.0.0.3 last");
    g_autoptr(BerthHostNames) names = start(world);
    g_assert_cmpstr(berth_host_names_hosts(names), ==,
                    "192.168.1.5 nas nas.home\n2001:db8::5 nas\n10.0.0.1 good\n10.0.0.3 last\n");
    g_assert_cmpuint(berth_host_names_left_out(names).lines, ==, 0);
    g_assert_cmpstr(berth_host_names_search(names), ==, ""); /* no file */
}

static void test_bounds(World *world, gconstpointer data)
{
    g_autoptr(GString) hosts = g_string_new(NULL);
    g_autoptr(GString) search = g_string_new("search");
    for (guint i = 0; i < 4000; i++) {
        g_string_append_printf(hosts, "10.1.%u.%u machine%u.example\n", i / 256, i % 256, i);
        g_string_append_printf(search, " d%u.example", i);
    }
    put(world->hosts, hosts->str);
    put(world->resolv_conf, search->str);
    g_autoptr(BerthHostNames) names = start(world);
    const char *got = berth_host_names_hosts(names);
    g_assert_cmpuint(strlen(got), <=, 32768);
    g_assert_cmpuint(strlen(got), >, 32000);
    g_assert_true(g_str_has_prefix(hosts->str, got) && g_str_has_suffix(got, "\n"));
    guint lines = 0;
    for (const char *at = got; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    g_assert_cmpuint(lines + berth_host_names_left_out(names).lines, ==, 4000);
    const char *domains = berth_host_names_search(names);
    g_assert_cmpuint(strlen(domains), <=, 1024);
    g_assert_cmpuint(strlen(domains), >, 1000);
    g_assert_true(g_str_has_prefix(search->str + strlen("search "), domains));
    g_auto(GStrv) each = g_strsplit(domains, " ", -1);
    g_assert_cmpuint(g_strv_length(each) + berth_host_names_left_out(names).domains, ==, 4000);
}

/* A domain after the first that does not fit is left out, too: the order of domains matters. */
static void test_domains_are_the_first(World *world, gconstpointer data)
{
    g_autoptr(GString) search = g_string_new("domain a.example\nsearch");
    g_autofree char *label = g_strnfill(50, 'x');
    for (guint i = 0; i < 30; i++)
        g_string_append_printf(search, " %s%u", label, i);
    g_string_append(search, " short");
    put(world->resolv_conf, search->str);
    g_autoptr(BerthHostNames) names = start(world);
    g_assert_true(g_str_has_prefix(search->str + strlen("domain a.example\nsearch "),
                                   berth_host_names_search(names)));
    g_assert_cmpuint(berth_host_names_left_out(names).domains, >, 1);
    g_assert_cmpuint(berth_host_names_left_out(names).lines, ==, 0);
}

static void test_changes(World *world, gconstpointer data)
{
    put(world->hosts, "10.0.0.1 one\n");
    put(world->resolv_conf, "nameserver 1.1.1.1\n");
    g_autoptr(BerthHostNames) names = start(world);
    g_assert_cmpuint(world->changes, ==, 0);
    put(world->hosts, "10.0.0.2 two\n");
    while (world->changes == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(berth_host_names_hosts(names), ==, "10.0.0.2 two\n");

    put(world->resolv_conf, "nameserver 2.2.2.2\n"); /* of the name servers: not its own */
    put(world->hosts, "10.0.0.2 two # the same\n");
    put(world->resolv_conf, "search x.example\n");
    while (world->changes == 1)
        g_main_context_iteration(NULL, TRUE);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    g_assert_cmpuint(world->changes, ==, 2);
    g_assert_cmpstr(berth_host_names_search(names), ==, "x.example");
}

static void test_nothing(World *world, gconstpointer data)
{
    g_autoptr(BerthHostNames) names = berth_host_names_new(NULL, NULL, on_change, world);
    g_assert_cmpstr(berth_host_names_search(names), ==, "");
    g_assert_cmpstr(berth_host_names_hosts(names), ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name, function)                                                                       \
    g_test_add("/instance/host_names/" name, World, NULL, set_up, function, tear_down)
    TEST("search", test_search);
    TEST("hosts", test_hosts);
    TEST("bounds", test_bounds);
    TEST("order", test_domains_are_the_first);
    TEST("changes", test_changes);
    TEST("nothing", test_nothing);
    return g_test_run();
}

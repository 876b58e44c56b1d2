/* SPDX-License-Identifier: MIT
 *
 * Two distros of one user. This process plays the keeper of the first.
 */
#include "instance/control/runtime_files.h"
#include "instance/keeper/neighbours.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

typedef struct {
    char *runtime;
    char *first_dir, *second_dir;
    BerthNeighbours *first, *second;
    guint released;
} World;

static void on_released(gpointer user_data)
{
    ((World *)user_data)->released++;
}

static void put(const char *dir, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void setup(World *world, gconstpointer data)
{
    g_autofree char *pid = g_strdup_printf("%d\n", (int)getpid());
    prctl(PR_SET_NAME, "berth-keeper");
    *world = (World){.runtime = g_dir_make_tmp("berth-neighbours-XXXXXX", NULL)};
    world->first_dir = g_build_filename(world->runtime, "aa", NULL);
    world->second_dir = g_build_filename(world->runtime, "bb", NULL);
    g_assert_cmpint(g_mkdir(world->first_dir, 0700) | g_mkdir(world->second_dir, 0700), ==, 0);
    put(world->first_dir, "lock", pid);
    put(world->first_dir, "machine.conf", "[machine]\nlater=than this\nname=debian\n");
    world->first = berth_neighbours_new(world->first_dir, on_released, world);
    world->second = berth_neighbours_new(world->second_dir, on_released, world);
}

static void teardown(World *world, gconstpointer data)
{
    berth_neighbours_free(world->first);
    berth_neighbours_free(world->second);
    const char *const dirs[] = {world->first_dir, world->second_dir};
    for (gsize i = 0; i < G_N_ELEMENTS(dirs); i++) {
        g_autofree char *lock = g_build_filename(dirs[i], "lock", NULL);
        g_autofree char *conf = g_build_filename(dirs[i], "machine.conf", NULL);
        g_unlink(lock);
        g_unlink(conf);
        g_assert_cmpint(g_rmdir(dirs[i]), ==, 0); /* the directory is empty */
    }
    g_rmdir(world->runtime);
    g_free(world->runtime);
    g_free(world->first_dir);
    g_free(world->second_dir);
}

static BerthLeg leg_of(const char *rule)
{
    BerthRule parsed;
    g_assert_true(berth_rule_parse(rule, &parsed, NULL));
    BerthLeg leg = {.state = BERTH_FORWARD_OPEN,
                    .protocol = parsed.protocol,
                    .family = parsed.family,
                    .host_port = parsed.host_port};
    memcpy(leg.host, parsed.address, sizeof(leg.host));
    return leg;
}

/* The first distro opens these: "127.0.0.1:80 [::1]:80/udp". */
static void publish(World *world, const char *legs)
{
    g_autoptr(GPtrArray) forwards =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
    g_auto(GStrv) words = g_strsplit(legs, " ", -1);
    for (char **word = words; *word != NULL && **word != '\0'; word++) {
        BerthForward *forward = g_new0(BerthForward, 1);
        forward->legs[0] = leg_of(*word);
        forward->legs[1] = forward->legs[0]; /* only open legs are published */
        forward->legs[1].host_port++;
        forward->legs[1].state = BERTH_FORWARD_BLOCKED;
        g_ptr_array_add(forwards, forward);
    }
    berth_neighbours_publish(world->first, forwards);
}

static void check(World *world, const char *rule, const char *expected)
{
    BerthLeg leg = leg_of(rule);
    g_autofree char *found = berth_neighbours_find(world->second, &leg);
    g_assert_cmpstr(found, ==, expected);
}

static void test_finds_the_holder(World *world, gconstpointer data)
{
    check(world, "127.0.0.1:80", NULL);
    publish(world, "127.0.0.1:80 [::1]:81 0.0.0.0:82 127.0.0.1:83/udp");
    check(world, "127.0.0.1:80", "debian");
    check(world, "0.0.0.0:80", "debian");
    check(world, "127.0.0.1:81", NULL);
    check(world, "127.0.0.1:80/udp", NULL);
    check(world, "[::1]:80", NULL);
    check(world, "[::1]:81", "debian");
    check(world, "[::1]:82", NULL);
    check(world, "127.0.5.1:82", "debian");
    check(world, "127.0.0.1:83/udp", "debian");

    BerthLeg own = leg_of("127.0.0.1:80");
    g_assert_null(berth_neighbours_find(world->first, &own)); /* its own file is skipped */
}

static void test_finds_nothing_without_a_keeper(World *world, gconstpointer data)
{
    publish(world, "127.0.0.1:80");
    put(world->first_dir, "lock", "");
    check(world, "127.0.0.1:80", NULL);
    put(world->first_dir, "lock", "1\n"); /* the pid was reused by another process */
    check(world, "127.0.0.1:80", NULL);
}

static void test_invalid_files_have_no_holder(World *world, gconstpointer data)
{
    put(world->first_dir, BERTH_RUNTIME_PORTS, "\n tcp\ntcp 127.0.0.1\ntcp x 80\n\xff\xfe 1 1\n");
    check(world, "127.0.0.1:80", NULL);
    put(world->second_dir, "machine.conf", "");
}

static bool wait_for(World *world, guint released)
{
    while (world->released < released)
        g_main_context_iteration(NULL, TRUE);
    return world->released == released;
}

static void test_notifies_of_released_ports(World *world, gconstpointer data)
{
    publish(world, "127.0.0.1:80");
    publish(world, "127.0.0.1:80 127.0.0.1:81");
    check(world, "127.0.0.1:80", "debian");
    publish(world, "127.0.0.1:80 127.0.0.1:81"); /* the same list is not a change */
    publish(world, "127.0.0.1:81");
    g_assert_true(wait_for(world, 1));
    check(world, "127.0.0.1:80", NULL);
    g_clear_pointer(&world->first, berth_neighbours_free);
    g_assert_true(wait_for(world, 2));
    berth_neighbours_unwatch(world->second);
    berth_neighbours_unwatch(world->second);
    g_assert_false(g_main_context_pending(NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/instance/neighbours/" name, World, NULL, setup, function, teardown)
    ADD("finds-the-holder", test_finds_the_holder);
    ADD("finds-nothing-without-a-keeper", test_finds_nothing_without_a_keeper);
    ADD("invalid-files-have-no-holder", test_invalid_files_have_no_holder);
    ADD("notifies-of-released-ports", test_notifies_of_released_ports);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT
 *
 * Keepers are played by cat, which reads a FIFO whose name is the distro's id, so that it has the
 * second argument of a keeper.
 */
#include "instance/keeper/running.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    char *dir;
    char *runtime_dir;
    BerthRunning *running;
    char *names[256];
} World;

static void on_change(guint number, const char *name, gpointer data)
{
    World *world = data;
    g_assert_cmpuint(number, <, G_N_ELEMENTS(world->names));
    g_free(world->names[number]);
    world->names[number] = g_strdup(name);
}

static void set_up(World *world, gconstpointer data)
{
    *world = (World){.dir = g_dir_make_tmp("berth-running-XXXXXX", NULL)};
    world->runtime_dir = g_build_filename(world->dir, "run", NULL);
    g_assert_cmpint(g_mkdir(world->runtime_dir, 0700), ==, 0);
}

static void start(World *world)
{
    world->running = berth_running_new(world->runtime_dir, on_change, world);
}

static void tear_down(World *world, gconstpointer data)
{
    berth_running_free(world->running);
    g_autofree char *command = g_strdup_printf("rm -r '%s'", world->dir);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    for (guint i = 0; i < G_N_ELEMENTS(world->names); i++)
        g_free(world->names[i]);
    g_free(world->runtime_dir);
    g_free(world->dir);
}

static void write_file(const World *world, const char *id, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(world->runtime_dir, id, name, NULL);
    FILE *file = fopen(path, "w");
    g_assert_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void prepare(World *world, const char *id, const char *name, guint number)
{
    g_autofree char *path = g_build_filename(world->runtime_dir, id, NULL);
    g_autofree char *text = g_strdup_printf(
        "[machine]\nid=%s\nname=%s\nnumber=%u\nsomething-new=1\n", id, name, number);
    g_mkdir(path, 0700);
    write_file(world, id, "lock", "");
    write_file(world, id, "machine.conf", text);
}

/* A program has been started for a moment before the kernel shows its arguments. */
static void wait_for_arguments(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
    for (gsize size = 0; size == 0;) {
        g_autofree char *words = NULL;
        g_assert_true(g_file_get_contents(path, &words, &size, NULL));
    }
}

static pid_t start_keeper(World *world, const char *id)
{
    g_autofree char *path = g_build_filename(world->dir, id, NULL);
    if (mkfifo(path, 0600) < 0)
        g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    const char *argv[] = {"cat", path, NULL};
    GPid pid;
    g_autoptr(GError) error = NULL;
    g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH, NULL,
                  NULL, &pid, &error);
    g_assert_no_error(error);
    wait_for_arguments(pid);
    g_autofree char *text = g_strdup_printf("%d\n", pid);
    write_file(world, id, "lock", text);
    return pid;
}

static pid_t run(World *world, const char *id, const char *name, guint number)
{
    prepare(world, id, name, number);
    return start_keeper(world, id);
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void expect(World *world, guint number, const char *name)
{
    while (g_strcmp0(world->names[number], name) != 0)
        g_main_context_iteration(NULL, TRUE);
}

static void settle(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void test_distros_running_at_the_start(World *world, gconstpointer data)
{
    pid_t one = run(world, "aa", "debian", 1), two = run(world, "bb", "busybox", 254);
    prepare(world, "cc", "stopped", 3);
    start(world);
    g_assert_cmpstr(world->names[1], ==, "debian");
    g_assert_cmpstr(world->names[254], ==, "busybox");
    g_assert_null(world->names[3]);
    end(one);
    expect(world, 1, "");
    g_assert_cmpstr(world->names[254], ==, "busybox");
    end(two);
    expect(world, 254, "");
}

static void test_distros_started_later(World *world, gconstpointer data)
{
    prepare(world, "aa", "debian", 1);
    start(world);
    pid_t one = start_keeper(world, "aa");
    expect(world, 1, "debian");
    pid_t two = run(world, "bb", "busybox", 2);
    expect(world, 2, "busybox");
    end(one);
    expect(world, 1, "");
    one = start_keeper(world, "aa"); /* once more */
    expect(world, 1, "debian");
    end(one);
    end(two);
    expect(world, 1, "");
    expect(world, 2, "");
}

static void test_other_name_and_number(World *world, gconstpointer data)
{
    start(world);
    pid_t one = run(world, "aa", "debian", 1);
    expect(world, 1, "debian");
    end(one);
    one = run(world, "aa", "trixie", 2); /* before it was watched */
    expect(world, 2, "trixie");
    expect(world, 1, "");
    end(one);
    expect(world, 2, "");
}

static void test_directory_is_removed(World *world, gconstpointer data)
{
    start(world);
    pid_t one = run(world, "aa", "debian", 1);
    expect(world, 1, "debian");
    g_autofree char *command = g_strdup_printf("rm -r '%s/aa'", world->runtime_dir);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    expect(world, 1, "");
    end(one);
    one = run(world, "aa", "debian", 1);
    expect(world, 1, "debian");
    end(one);
}

/* As if seen twice, in the directory and by an event. */
static void test_directory_is_created_again(World *world, gconstpointer data)
{
    g_autofree char *path = g_build_filename(world->runtime_dir, "aa", NULL);
    g_autofree char *away = g_build_filename(world->dir, "away", NULL);
    prepare(world, "aa", "debian", 1);
    start(world);
    g_assert_cmpint(rename(path, away), ==, 0);
    g_assert_cmpint(rename(away, path), ==, 0);
    settle();
    pid_t one = start_keeper(world, "aa");
    expect(world, 1, "debian");
    end(one);
    expect(world, 1, "");
}

static void test_other_directories_are_ignored(World *world, gconstpointer data)
{
    static const char *const locks[] = {"", "x\n", "0\n", "-1\n", "999999999\n", "1\n"};
    start(world);
    for (guint i = 0; i < G_N_ELEMENTS(locks); i++) {
        g_autofree char *id = g_strdup_printf("%u", i);
        prepare(world, id, "debian", 1);
        write_file(world, id, "lock", locks[i]);
    }
    g_autofree char *file = g_build_filename(world->runtime_dir, "file", NULL);
    g_assert_true(g_file_set_contents(file, "1\n", -1, NULL));
    pid_t without = run(world, "ww", "without", 0);
    pid_t other = run(world, "oo", "other", 9);
    g_autofree char *text = g_strdup_printf("%d\n", other);
    write_file(world, "ww", "lock", text); /* a pid that another process has */
    expect(world, 9, "other");
    settle();
    g_assert_null(world->names[1]);
    end(without);
    end(other);
}

static void test_many(World *world, gconstpointer data)
{
    enum { MANY = 60 };
    pid_t pids[MANY];
    start(world);
    for (guint i = 0; i < MANY; i++) {
        g_autofree char *id = g_strdup_printf("id%u", i);
        g_autofree char *name = g_strdup_printf("distro%u", i);
        pids[i] = run(world, id, name, i + 1);
    }
    for (guint i = 0; i < MANY; i++) {
        g_autofree char *name = g_strdup_printf("distro%u", i);
        expect(world, i + 1, name);
    }
    for (guint i = 0; i < MANY; i++)
        end(pids[i]);
    for (guint i = 0; i < MANY; i++)
        expect(world, i + 1, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/instance/running/" name, World, NULL, set_up, function, tear_down)
    ADD("distros-running-at-the-start", test_distros_running_at_the_start);
    ADD("distros-started-later", test_distros_started_later);
    ADD("other-name-and-number", test_other_name_and_number);
    ADD("directory-is-removed", test_directory_is_removed);
    ADD("directory-is-created-again", test_directory_is_created_again);
    ADD("other-directories-are-ignored", test_other_directories_are_ignored);
    ADD("many", test_many);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT
 *
 * Finding and starting keepers. The keeper is this program under the name berth-keeper: it sends
 * its pid to each client, and acts on the byte it gets back.
 */
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "instance/client/runtime.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ASK_DIE = 'd', ASK_LEAVE = 'l' };

/* --- the keeper ------------------------------------------------------------------------------- */

static int keep(const char *dir)
{
    g_autofree char *words = berth_process_format();
    dprintf(3, "%s", words);
    for (;;) {
        int client = accept(4, NULL, NULL);
        char ask = 0;
        dprintf(client, "%d\n", (int)getpid());
        if (read(client, &ask, 1) == 1 && ask == ASK_LEAVE) {
            g_autofree char *control = g_build_filename(dir, "control", NULL);
            unlink(control);
            close(4);
            close(client); /* it no longer listens, but still holds the lock */
            poll(NULL, 0, 300);
            return 0;
        }
        if (ask == ASK_DIE)
            return 0; /* and leaves its socket */
        close(client);
    }
}

/* --- the tests -------------------------------------------------------------------------------- */

typedef struct {
    char *root;
    char *support;
    BerthMachine *machine;
    char *lock; /* content of the lock during the start's check */
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->root = g_dir_make_tmp("berth-runtime-XXXXXX", NULL);
    fixture->support = g_build_filename(fixture->root, "support", NULL);
    g_autofree char *program = g_build_filename(fixture->support, "berth-keeper", NULL);
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_assert_cmpint(g_mkdir_with_parents(fixture->support, 0700) | symlink(self, program), ==, 0);
    fixture->machine = berth_machine_from_text("[machine]\nid=0123456789abcdef\nname=x\n", NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_runtime_forget(fixture->root, fixture->machine->id);
    g_autofree char *program = g_build_filename(fixture->support, "berth-keeper", NULL);
    unlink(program);
    rmdir(fixture->support);
    g_assert_cmpint(rmdir(fixture->root), ==, 0); /* nothing else was left */
    berth_machine_free(fixture->machine);
    g_free(fixture->support);
    g_free(fixture->root);
}

static pid_t read_pid(int fd)
{
    char text[16] = "";
    g_assert_cmpint(read(fd, text, sizeof(text) - 1), >, 0);
    return (pid_t)atoi(text);
}

static pid_t start(Fixture *fixture, int *ret_fd)
{
    g_autoptr(GError) error = NULL;
    int fd = berth_runtime_start(fixture->machine, fixture->root, fixture->support, NULL, &error);
    g_assert_no_error(error);
    pid_t pid = read_pid(fd);
    if (ret_fd != NULL)
        *ret_fd = fd;
    else
        close(fd);
    return pid;
}

static void ask(int fd, char what)
{
    g_assert_cmpint(write(fd, &what, 1), ==, 1);
}

static void end(pid_t pid)
{
    berth_autofd int pidfd = pidfd_open(pid, 0);
    kill(pid, SIGKILL);
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0)
        poll(&poller, 1, 10000);
}

static void test_not_running(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(berth_runtime_connect(fixture->root, fixture->machine->id, &error), ==, -1);
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_NOT_RUNNING);
}

static void test_start_once(Fixture *fixture, gconstpointer data)
{
    pid_t pid = start(fixture, NULL);
    g_assert_cmpint(start(fixture, NULL), ==, pid);
    berth_autofd int fd = berth_runtime_connect(fixture->root, fixture->machine->id, NULL);
    g_assert_cmpint(read_pid(fd), ==, pid);
    end(pid);
}

static gpointer start_in_thread(gpointer data)
{
    return GINT_TO_POINTER(start(data, NULL));
}

static void test_many_starters_one_keeper(Fixture *fixture, gconstpointer data)
{
    GThread *threads[8];
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("starter", start_in_thread, fixture);
    pid_t first = GPOINTER_TO_INT(g_thread_join(threads[0]));
    for (gsize i = 1; i < G_N_ELEMENTS(threads); i++)
        g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(threads[i])), ==, first);
    end(first);
}

static void test_stale_socket_is_replaced(Fixture *fixture, gconstpointer data)
{
    berth_autofd int fd = -1;
    pid_t first = start(fixture, &fd);
    berth_autofd int pidfd = pidfd_open(first, 0);
    ask(fd, ASK_DIE);
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    g_assert_cmpint(poll(&poller, 1, 10000), ==, 1);
    pid_t second = start(fixture, NULL);
    g_assert_cmpint(second, !=, first);
    end(second);
}

static void test_start_waits_for_an_ending_keeper(Fixture *fixture, gconstpointer data)
{
    berth_autofd int fd = -1;
    pid_t first = start(fixture, &fd);
    berth_autofd int pidfd = pidfd_open(first, 0);
    ask(fd, ASK_LEAVE);
    char byte;
    g_assert_cmpint(read(fd, &byte, 1), ==, 0);
    pid_t second = start(fixture, NULL);
    g_assert_cmpint(second, !=, first);
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    g_assert_cmpint(poll(&poller, 1, 0), ==, 1); /* it has ended */
    end(second);
}

static void test_keeper_that_does_not_answer_is_killed(Fixture *fixture, gconstpointer data)
{
    pid_t pid = start(fixture, NULL);
    berth_autofd int pidfd = pidfd_open(pid, 0);
    kill(pid, SIGSTOP);
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_runtime_kill(fixture->root, fixture->machine->id, &error));
    g_assert_no_error(error);
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    g_assert_cmpint(poll(&poller, 1, 0), ==, 1);
    g_assert_true(berth_runtime_kill(fixture->root, fixture->machine->id, &error)); /* none left */
    g_assert_true(berth_runtime_kill(fixture->root, "ffffffffffffffff", &error));   /* never was */
}

/* The process with the arguments @words is not the keeper whose pid it has, so it is not killed. */
static void check_spared(Fixture *fixture, const char *words)
{
    g_autofree char *path = g_build_filename(fixture->root, fixture->machine->id, "lock", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_true(g_file_set_contents(path, words, -1, NULL));
    berth_autofd int held = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(flock(held, LOCK_EX), ==, 0);
    g_assert_true(berth_runtime_kill(fixture->root, fixture->machine->id, &error));
    g_assert_no_error(error);
}

static void test_process_with_a_reused_pid_is_not_killed(Fixture *fixture, gconstpointer data)
{
    end(start(fixture, NULL));
    pid_t stranger = fork();
    if (stranger == 0) {
        pause();
        _exit(0);
    }
    g_autofree char *only_number = g_strdup_printf("%d\n", (int)stranger);
    g_autofree char *earlier = g_strdup_printf("%d %" G_GUINT64_FORMAT "\n", (int)stranger,
                                               berth_process_started(stranger) - 1);
    check_spared(fixture, only_number);
    check_spared(fixture, earlier);
    check_spared(fixture, "");
    g_assert_cmpint(waitpid(stranger, NULL, WNOHANG), ==, 0); /* it is alive */
    kill(stranger, SIGKILL);
    waitpid(stranger, NULL, 0);
}

static bool read_lock(gpointer user_data, int *ret_disk_fd, GError **error)
{
    Fixture *fixture = user_data;
    g_autofree char *path = g_build_filename(fixture->root, fixture->machine->id, "lock", NULL);
    g_assert_true(g_file_get_contents(path, &fixture->lock, NULL, NULL));
    berth_error_set(error, BERTH_ERROR_BUSY, "test.refused", NULL, "not now");
    return false;
}

/* Between the lock and the new keeper's pid the former pid is removed. */
static void test_held_lock_without_a_pid(Fixture *fixture, gconstpointer data)
{
    end(start(fixture, NULL));
    const BerthRuntimeCheck gate = {read_lock, fixture};
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(
        berth_runtime_start(fixture->machine, fixture->root, fixture->support, &gate, &error), ==,
        -1);
    g_assert_cmpstr(berth_error_id(error), ==, "test.refused");
    g_assert_cmpstr(fixture->lock, ==, "");
    g_free(fixture->lock);
}

static void test_missing_keeper(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(
        berth_runtime_start(fixture->machine, fixture->root, "/nonexistent", NULL, &error), ==, -1);
    g_assert_cmpstr(berth_error_id(error), ==, "instance.start.missing");
    g_assert_nonnull(strstr(error->message, "/nonexistent/berth-keeper"));
}

static void test_path_too_long_for_a_socket(Fixture *fixture, gconstpointer data)
{
    g_autofree char *deep = g_strnfill(100, 'x');
    g_autofree char *path = g_build_filename(fixture->root, deep, NULL);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(berth_runtime_connect(path, fixture->machine->id, &error), ==, -1);
    g_assert_cmpstr(berth_error_id(error), ==, "instance.path");
}

#define ADD(path, func) g_test_add(path, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    if (g_str_has_suffix(argv[0], "/berth-keeper"))
        return keep(argv[1]);

    g_test_init(&argc, &argv, NULL);
    ADD("/instance/runtime/not-running", test_not_running);
    ADD("/instance/runtime/start-once", test_start_once);
    ADD("/instance/runtime/many-starters-one-keeper", test_many_starters_one_keeper);
    ADD("/instance/runtime/stale-socket-is-replaced", test_stale_socket_is_replaced);
    ADD("/instance/runtime/start-waits-for-an-ending-keeper",
        test_start_waits_for_an_ending_keeper);
    ADD("/instance/runtime/keeper-that-does-not-answer-is-killed",
        test_keeper_that_does_not_answer_is_killed);
    ADD("/instance/runtime/process-with-a-reused-pid-is-not-killed",
        test_process_with_a_reused_pid_is_not_killed);
    ADD("/instance/runtime/held-lock-without-a-pid", test_held_lock_without_a_pid);
    ADD("/instance/runtime/missing-keeper", test_missing_keeper);
    ADD("/instance/runtime/path-too-long-for-a-socket", test_path_too_long_for_a_socket);
    return g_test_run();
}

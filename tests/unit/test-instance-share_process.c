/* SPDX-License-Identifier: MIT
 *
 * The keeper's handling of berth-shares that end. This program plays berth-share too: it is in its
 * place, and the path of its only share tells it what to do.
 */
#include "instance/keeper/share_process.h"

#include "base/error.h"
#include "base/fd.h"
#include "wire/share_report.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DISTRO    "0123456789abcdef"
#define PORT_FD   3
#define REPORT_FD 4

enum { ENDS = 1, CHANGED, WAITS };

typedef struct {
    char *dir;
    char *share[2];
    BerthMachine machine;
    BerthShareProcess *shares;
    GArray *ports; /* accepted connections, as QEMU's: int */
    guint notes;
    guint ready;
    guint changed;
    GString *skipped;
    char *failure; /* the error's id */
} World;

static bool report(const char *text)
{
    size_t size = strlen(text) + 1;
    return write(REPORT_FD, text, size) == (ssize_t)size;
}

/* berth-share --watch: the list names what happens. */
static int watch(void)
{
    struct {
        WireWatchList list;
        WireWatch items[2];
    } file;
    if (pread(PORT_FD, &file, sizeof(file), 0) != sizeof(file) || file.list.since_nsec != 77 ||
        file.list.count != 2 || file.items[0].node != 5 || file.items[1].mask != 0x100)
        return 1;
    if (file.items[1].node == ENDS)
        return 1;
    if (file.items[1].node == CHANGED && !report(SHARE_REPORT_CHANGED))
        return 1;
    while (file.items[1].node == WAITS)
        pause();
    return 0;
}

/* berth-share ID UID GID rw SOURCE TARGET */
static int serve(const char *target)
{
    char byte;
    if (strcmp(target, "/refuses") == 0)
        return 1;
    if (strcmp(target, "/ends-unseen") == 0)
        return 0;
    if (strcmp(target, "/skips") == 0 && (!report(SHARE_REPORT_SKIPPED "/gone: \x1b[2J") ||
                                          !report("nonsense") || !report(SHARE_REPORT_READY)))
        return 1;
    if (read(PORT_FD, &byte, 1) <= 0) /* the first request */
        return 0;
    if (!report(SHARE_REPORT_BEGUN) || !report(SHARE_REPORT_SKIPPED "/late: by the guest"))
        return 1;
    if (write(PORT_FD, "a", 1) != 1)
        return 1;
    if (read(PORT_FD, &byte, 1) <= 0 || !report(SHARE_REPORT_READY)) /* the acknowledgement */
        return 0;
    return read(PORT_FD, &byte, 1) > 0;
}

static void on_note(const char *text, gpointer user_data)
{
    ((World *)user_data)->notes++;
}

static void on_ready(gpointer user_data)
{
    ((World *)user_data)->ready++;
}

static void on_changed(gpointer user_data)
{
    ((World *)user_data)->changed++;
}

static void on_begun(gpointer user_data)
{
}

static void on_skipped(const char *text, gpointer user_data)
{
    g_string_append_printf(((World *)user_data)->skipped, "%s;", text);
}

static void on_failed(const GError *error, gpointer user_data)
{
    g_assert_null(((World *)user_data)->failure);
    ((World *)user_data)->failure = g_strdup(berth_error_id(error));
}

static const BerthShareProcessEvents events = {.log = on_note,
                                               .begun = on_begun,
                                               .ready = on_ready,
                                               .changed = on_changed,
                                               .skipped = on_skipped,
                                               .failed = on_failed};

/* This program's only child. */
static pid_t share_pid(void)
{
    g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", (int)getpid());
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return atoi(text);
}

/* How many berth-shares were connected since the last call. */
static guint accept_all(World *world)
{
    guint before = world->ports->len;
    for (;;) {
        int fd = accept4(berth_share_process_guest_fd(world->shares), NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            break;
        g_array_append_val(world->ports, fd);
    }
    g_assert_cmpint(errno, ==, EAGAIN);
    return world->ports->len - before;
}

static void send_request(World *world)
{
    int port = g_array_index(world->ports, int, world->ports->len - 1);
    g_assert_cmpint(write(port, "r", 1), ==, 1);
}

static void set_up(World *world, gconstpointer target)
{
    g_autoptr(GError) error = NULL;
    *world = (World){.dir = g_dir_make_tmp("berth-share-XXXXXX", NULL),
                     .skipped = g_string_new(NULL),
                     .ports = g_array_new(FALSE, FALSE, sizeof(int))};
    world->share[0] = g_strdup_printf("rw:/:/%s", (const char *)target);
    world->machine.shares = world->share;
    world->machine.id = (char *)DISTRO;
    g_autofree char *program = g_build_filename(world->dir, "berth-share", NULL);
    g_autofree char *here = g_file_read_link("/proc/self/exe", NULL);
    g_assert_cmpint(symlink(here, program), ==, 0);
    world->shares =
        berth_share_process_new(&world->machine, world->dir, world->dir, &events, world, &error);
    g_assert_no_error(error);
    int fd = berth_share_process_guest_fd(world->shares);
    g_assert_cmpint(fcntl(fd, F_SETFL, O_NONBLOCK), ==, 0);
    berth_share_process_start(world->shares, 1000, 1000);
}

static void tear_down(World *world, gconstpointer data)
{
    berth_share_process_free(world->shares);
    g_assert_cmpint(share_pid(), ==, 0);
    for (guint i = 0; i < world->ports->len; i++)
        close(g_array_index(world->ports, int, i));
    g_array_unref(world->ports);
    g_autofree char *program = g_build_filename(world->dir, "berth-share", NULL);
    g_unlink(program);
    g_assert_cmpint(g_rmdir(world->dir), ==, 0);
    g_string_free(world->skipped, TRUE);
    g_free(world->dir);
    g_free(world->share[0]);
    g_free(world->failure);
}

static void test_refusal_ends_the_shares(World *world, gconstpointer data)
{
    while (world->failure == NULL)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(world->failure, ==, "share.start");
    g_assert_cmpuint(accept_all(world), ==, 1);
    g_assert_cmpint(share_pid(), ==, 0);
}

static void test_ends_that_the_guest_has_not_seen(World *world, gconstpointer data)
{
    while (world->failure == NULL)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(world->failure, ==, "share.ended");
    g_assert_cmpuint(accept_all(world), ==, 6);
    g_assert_cmpuint(world->notes, ==, 5);
    g_assert_cmpint(share_pid(), ==, 0);
}

static void test_killed_before_its_first_request(World *world, gconstpointer data)
{
    pid_t pid = share_pid();
    g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
    while (world->notes == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(share_pid(), !=, pid);
    g_assert_cmpint(share_pid(), >, 0);
    g_assert_cmpuint(accept_all(world), ==, 2);

    pid = share_pid(); /* the guest saw the first one's end after all: it has this one */
    berth_share_process_start(world->shares, 1000, 1000);
    g_assert_cmpint(share_pid(), ==, pid);
    g_assert_cmpuint(accept_all(world), ==, 0);
}

/* The guest sees its end, and requests another. */
static void test_killed_after_its_first_request(World *world, gconstpointer data)
{
    char byte;
    g_assert_cmpuint(accept_all(world), ==, 1);
    send_request(world);
    int port = g_array_index(world->ports, int, 0);
    g_assert_cmpint(read(port, &byte, 1), ==, 1); /* it has begun */
    g_assert_cmpint(kill(share_pid(), SIGKILL), ==, 0);
    while (world->notes == 0 && world->failure == NULL)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(accept_all(world), ==, 0);
    g_assert_cmpint(share_pid(), ==, 0);
    berth_share_process_start(world->shares, 1000, 1000);
    g_assert_cmpuint(accept_all(world), ==, 1);
    g_assert_null(world->failure);
}

/* The guest sees the end of the server and requests another; the keeper tells that one the former
 * target. */
static void test_replaced(World *world, gconstpointer data)
{
    char byte;
    g_assert_cmpuint(accept_all(world), ==, 1);
    send_request(world);
    int port = g_array_index(world->ports, int, 0);
    g_assert_cmpint(read(port, &byte, 1), ==, 1);
    berth_share_process_replace(world->shares);
    g_assert_cmpint(share_pid(), ==, 0);
    g_assert_cmpint(read(port, &byte, 1), ==, 0);
    berth_share_process_replace(world->shares); /* none runs */
    g_free(world->share[0]);
    world->share[0] = g_strdup("ro:/:/other");
    berth_share_process_start(world->shares, 1000, 1000);
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)share_pid());
    static const char expected[] = "berth-share\0" DISTRO "\0"
                                   "1000\0"
                                   "1000\0"
                                   "ro\0"
                                   "/\0"
                                   "/other\0"
                                   "was\0"
                                   "-\0"
                                   "/serves";
    g_autofree char *words = NULL;
    gsize size = 0;
    while (size != sizeof(expected)) { /* it has not executed the program yet */
        g_clear_pointer(&words, g_free);
        g_assert_true(g_file_get_contents(path, &words, &size, NULL));
    }
    g_assert_cmpmem(words, size, expected, sizeof(expected));
    g_assert_cmpuint(accept_all(world), ==, 1);
    g_assert_cmpuint(world->notes, ==, 0);
}

/* A guest that has not seen it would miss its end. */
static void test_replaced_before_its_first_request(World *world, gconstpointer data)
{
    pid_t pid = share_pid();
    g_assert_cmpuint(accept_all(world), ==, 1);
    berth_share_process_replace(world->shares);
    berth_share_process_replace(world->shares);
    g_assert_cmpint(share_pid(), ==, pid);
    send_request(world);
    while (share_pid() == pid)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(share_pid(), ==, 0);
    g_assert_cmpuint(accept_all(world), ==, 0);
}

static void begin(World *world)
{
    char byte;
    accept_all(world);
    send_request(world);
    int port = g_array_index(world->ports, int, world->ports->len - 1);
    g_assert_cmpint(read(port, &byte, 1), ==, 1);
}

/* The guest, which had seen it, requests another after the wake. */
static void test_suspended(World *world, gconstpointer data)
{
    char byte;
    g_assert_cmpuint(accept_all(world), ==, 1);
    send_request(world);
    g_assert_cmpint(read(g_array_index(world->ports, int, 0), &byte, 1), ==, 1);
    for (guint i = 0; i < 8; i++) { /* more often than it may end by itself */
        berth_share_process_suspend(world->shares, 0, NULL, 0);
        g_assert_cmpint(share_pid(), ==, 0);
        berth_share_process_wake(world->shares);
        g_assert_cmpint(share_pid(), ==, 0);
        berth_share_process_start(world->shares, 1000, 1000);
        g_assert_cmpuint(accept_all(world), ==, 1);
        send_request(world);
        int port = g_array_index(world->ports, int, world->ports->len - 1);
        g_assert_cmpint(read(port, &byte, 1), ==, 1);
    }
    g_assert_null(world->failure);
}

static void suspend_with(World *world, guint64 node)
{
    const WireWatch watches[] = {{5, 0x2, 0}, {node, 0x100, 0}};
    berth_share_process_suspend(world->shares, 77, watches, G_N_ELEMENTS(watches));
    g_assert_false(berth_share_process_is_starting(world->shares));
    g_assert_cmpint(share_pid(), >, 0);
}

static void resume(World *world)
{
    berth_share_process_wake(world->shares);
    g_assert_cmpint(share_pid(), ==, 0);
    berth_share_process_start(world->shares, 1000, 1000);
    begin(world);
    g_assert_null(world->failure);
}

static void test_a_watched_file_changes(World *world, gconstpointer data)
{
    begin(world);
    for (guint i = 1; i <= 8; i++) {
        suspend_with(world, CHANGED);
        while (world->changed < i)
            g_main_context_iteration(NULL, TRUE);
        g_assert_cmpint(share_pid(), ==, 0);
        resume(world);
    }
    g_assert_cmpuint(world->notes, ==, 0);
}

static void test_nothing_changes(World *world, gconstpointer data)
{
    begin(world);
    suspend_with(world, WAITS);
    resume(world);
    g_assert_cmpuint(world->changed, ==, 0);
}

static void test_a_watch_fails(World *world, gconstpointer data)
{
    begin(world);
    suspend_with(world, ENDS);
    while (world->notes == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(share_pid(), ==, 0);
    resume(world);
    g_assert_cmpuint(world->changed, ==, 0);
}

/* One that the guest has not seen, or asked for just before, is started at the wake. */
static void test_suspended_before_its_first_request(World *world, gconstpointer data)
{
    g_assert_cmpuint(accept_all(world), ==, 1);
    berth_share_process_suspend(world->shares, 0, NULL, 0);
    g_assert_cmpint(share_pid(), ==, 0);
    berth_share_process_wake(world->shares);
    g_assert_cmpuint(accept_all(world), ==, 1);

    send_request(world);
    char byte;
    int port = g_array_index(world->ports, int, world->ports->len - 1);
    g_assert_cmpint(read(port, &byte, 1), ==, 1);
    berth_share_process_suspend(world->shares, 0, NULL, 0);
    berth_share_process_start(world->shares, 1000, 1000);
    g_assert_cmpint(share_pid(), ==, 0);
    berth_share_process_wake(world->shares);
    g_assert_cmpint(share_pid(), >, 0);
    g_assert_cmpuint(accept_all(world), ==, 1);
}

static void test_ready(World *world, gconstpointer data)
{
    begin(world);
    g_assert_false(berth_share_process_is_ready(world->shares));
    send_request(world);
    while (world->ready == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_true(berth_share_process_is_ready(world->shares));
    berth_share_process_replace(world->shares);
    g_assert_false(berth_share_process_is_ready(world->shares));
    berth_share_process_start(world->shares, 1000, 1000);
    begin(world);
    g_assert_false(berth_share_process_is_ready(world->shares));
    send_request(world);
    while (world->ready == 1)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(world->ready, ==, 2);
}

/* A berth-share that is to be replaced is never ready. */
static void test_outdated_is_not_ready(World *world, gconstpointer data)
{
    accept_all(world);
    berth_share_process_replace(world->shares);
    send_request(world);
    send_request(world);
    while (share_pid() != 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(world->ready, ==, 0);
}

/* Before the guest's first request the lines are berth-share's own. */
static void test_skipped(World *world, gconstpointer data)
{
    begin(world);
    send_request(world);
    while (world->ready == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(world->skipped->str, ==, "/gone:  [2J;");
    const GPtrArray *skipped = berth_share_process_skipped(world->shares);
    g_assert_cmpuint(skipped->len, ==, 1);
    berth_share_process_replace(world->shares);
    berth_share_process_start(world->shares, 1000, 1000);
    begin(world);
    send_request(world);
    while (world->ready == 1)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(berth_share_process_skipped(world->shares)->len, ==, 1); /* anew */
}

int main(int argc, char **argv)
{
    if (strcmp(argv[0], "berth-share") == 0)
        return strcmp(argv[1], "--watch") == 0 ? watch() : serve(argv[argc - 1]);
    g_test_init(&argc, &argv, NULL);
    g_test_add("/instance/shares/refusal-ends-them", World, "refuses", set_up,
               test_refusal_ends_the_shares, tear_down);
    g_test_add("/instance/shares/ends-that-the-guest-has-not-seen", World, "ends-unseen", set_up,
               test_ends_that_the_guest_has_not_seen, tear_down);
    g_test_add("/instance/shares/killed-before-its-first-request", World, "serves", set_up,
               test_killed_before_its_first_request, tear_down);
    g_test_add("/instance/shares/killed-after-its-first-request", World, "serves", set_up,
               test_killed_after_its_first_request, tear_down);
    g_test_add("/instance/shares/replaced", World, "serves", set_up, test_replaced, tear_down);
    g_test_add("/instance/shares/replaced-before-its-first-request", World, "serves", set_up,
               test_replaced_before_its_first_request, tear_down);
    g_test_add("/instance/shares/suspended", World, "serves", set_up, test_suspended, tear_down);
    g_test_add("/instance/shares/suspended-before-its-first-request", World, "serves", set_up,
               test_suspended_before_its_first_request, tear_down);
    g_test_add("/instance/shares/watched-file-changes", World, "serves", set_up,
               test_a_watched_file_changes, tear_down);
    g_test_add("/instance/shares/nothing-changes", World, "serves", set_up, test_nothing_changes,
               tear_down);
    g_test_add("/instance/shares/watch-fails", World, "serves", set_up, test_a_watch_fails,
               tear_down);
    g_test_add("/instance/shares/ready", World, "serves", set_up, test_ready, tear_down);
    g_test_add("/instance/shares/outdated-is-not-ready", World, "serves", set_up,
               test_outdated_is_not_ready, tear_down);
    g_test_add("/instance/shares/skipped", World, "skips", set_up, test_skipped, tear_down);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT
 *
 * Login sessions of a distro whose systemctl cannot start them, with a clock that the test steps.
 */
#include "../lib/failing.h"
#include "agent/logins.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND 1000000ull

static uint64_t now_usec;

static uint64_t now(void)
{
    return now_usec;
}

typedef struct {
    Loop loop;
    char *dir; /* of the FIFOs; without a systemctl */
    LoginsSystem system;
    Logins *logins;
    int fifo;    /* of this user, in test_failing */
    guint ready; /* calls of on_ready */
} Fixture;

static void on_ready(void *data, uid_t uid, const Login *login)
{
    Fixture *fixture = data;
    g_assert_cmpuint(uid, ==, getuid());
    g_assert_cmpint(login->holder, ==, 0);
    fixture->ready++;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    now_usec = 1000 * SECOND;
    fixture->dir = g_dir_make_tmp("berth-logins-XXXXXX", NULL);
    fixture->system = (LoginsSystem){fixture->dir, fixture->dir, now};
    g_assert_cmpint(loop_init(&fixture->loop), ==, 0);
    fixture->logins = logins_new(&fixture->loop, &fixture->system, on_ready, fixture);
    g_assert_nonnull(fixture->logins);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_autofree char *fifo = g_strdup_printf("%s/%u", fixture->dir, getuid());
    logins_free(fixture->logins);
    close(fixture->loop.epoll);
    g_assert_cmpint(g_unlink(fifo), ==, 0);
    g_assert_cmpint(g_rmdir(fixture->dir), ==, 0);
    g_free(fixture->dir);
}

/* A command asks for the session: it waits, and the start fails. */
static void expect_start(Fixture *fixture)
{
    Login login;
    int status;
    guint before = fixture->ready;
    g_assert_false(logins_get(fixture->logins, getuid(), &login));
    pid_t pid = waitpid(-1, &status, 0);
    g_assert_cmpint(pid, >, 0);
    g_assert_cmpint(status, !=, 0);
    logins_reaped(fixture->logins, pid, status);
    g_assert_cmpuint(fixture->ready, ==, before + 1);
}

/* A command asks: it runs without a session at once. */
static void expect_none(Fixture *fixture)
{
    Login login;
    g_assert_true(logins_get(fixture->logins, getuid(), &login));
    g_assert_cmpint(login.holder, ==, 0);
}

static void test_retry(Fixture *fixture, gconstpointer data)
{
    expect_start(fixture);
    expect_none(fixture);
    now_usec += 60 * SECOND - 1;
    expect_none(fixture);
    now_usec += 1;
    expect_start(fixture);
    expect_none(fixture);
    now_usec += 86400 * SECOND;
    expect_start(fixture);
}

/* Were the clock one that is set: a step back of a day does not put off the retry for a day. */
static void test_clock_stepped_back(Fixture *fixture, gconstpointer data)
{
    now_usec = 2 * 86400 * SECOND;
    expect_start(fixture);
    now_usec -= 86400 * SECOND;
    expect_start(fixture);
    expect_none(fixture);
}

static void on_holder(void *data, uid_t uid, const Login *login)
{
    *(pid_t *)data = login->holder;
}

/* The unit reports this process as the holder of the session, which opens then. */
static void open_login(Loop *loop, Logins *logins, int fifo, const pid_t *holder)
{
    int status;
    g_autofree char *report = g_strdup_printf("%d 0123abcd\n", getpid());
    gssize size = (gssize)strlen(report);
    g_assert_cmpint(write(fifo, report, (gsize)size), ==, size);
    while (*holder == 0)
        g_assert_cmpint(loop_turn(loop), ==, 0);
    g_assert_cmpint(*holder, ==, getpid());
    pid_t pid = waitpid(-1, &status, 0);
    logins_reaped(logins, pid, status);
}

static bool has_timer(void)
{
    bool found = false;
    for (int fd = 0; fd < 1024 && !found; fd++) {
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
        g_autofree char *target = g_file_read_link(path, NULL);
        found = g_strcmp0(target, "anon_inode:[timerfd]") == 0;
    }
    return found;
}

static void run_login(gpointer data)
{
    Fixture *fixture = data;
    Loop loop;
    Login login;
    pid_t holder = 0;
    if (loop_init(&loop) < 0)
        return;
    Logins *logins = logins_new(&loop, &fixture->system, on_holder, &holder);
    if (logins != NULL && !logins_get(logins, getuid(), &login))
        open_login(&loop, logins, fixture->fifo, &holder);
    g_assert_false(has_timer()); /* it would go on to wake the loop once it expires */
    logins_free(logins);
    close(loop.epoll);
}

/* Without memory, descriptors or epoll watches a command runs without a session or gets it late;
 * it does not wait for ever. */
static void test_failing(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_strdup_printf("%s/%u", fixture->dir, getuid());
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    fixture->fifo = g_open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
    g_assert_cmpint(fixture->fifo, >=, 0);
    g_assert_cmpuint(failing_each_once(run_login, fixture), >=, 8);
    close(fixture->fifo);
}

#define ADD(path, func)                                                                            \
    g_test_add("/berth-guest/logins/" path, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("retry", test_retry);
    ADD("clock-stepped-back", test_clock_stepped_back);
    ADD("failing", test_failing);
    return g_test_run();
}

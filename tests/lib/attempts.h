/* SPDX-License-Identifier: MIT
 *
 * attempts — actions that a sandbox must prevent, and tests of them: each in a confined child of
 * its own. An action returns 0, or the errno that stopped it.
 */
#pragma once

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    const char *name;
    int (*attempt)(void);
    int errnum; /* expected */
} Attempt;

typedef struct {
    bool (*confine)(void);
    const Attempt *attempt;
} AttemptTest;

/* The exit status of a child that confines itself and makes the attempt; 255 when confining
 * fails. */
static inline int attempt_status(bool (*confine)(void), int (*attempt)(void))
{
    int status;
    pid_t child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0)
        _exit(confine() ? attempt() : 255);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static inline void attempt_test(gconstpointer data)
{
    const AttemptTest *test = data;
    g_assert_cmpint(attempt_status(test->confine, test->attempt->attempt), ==,
                    test->attempt->errnum);
}

/* Add a test @prefix/NAME for each of the attempts, whose array must stay. */
static inline void attempts_add_tests(const char *prefix, bool (*confine)(void),
                                      const Attempt *attempts, gsize n_attempts)
{
    for (gsize i = 0; i < n_attempts; i++) {
        g_autofree char *path = g_strconcat(prefix, "/", attempts[i].name, NULL);
        AttemptTest *test = g_new(AttemptTest, 1);
        *test = (AttemptTest){confine, &attempts[i]};
        g_test_add_data_func_full(path, test, attempt_test, g_free);
    }
}

static inline int result(long value)
{
    return value < 0 ? errno : 0;
}

static inline int remove_file(void)
{
    return result(unlink("/tmp/berth-lock-test-that-is-not-there"));
}

static inline int run_program(void)
{
    return result(execl("/bin/true", "true", NULL));
}

static inline int make_process(void)
{
    return result(fork());
}

static inline int make_code(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : 0;
}

static inline int unix_socket(void)
{
    return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static inline int type_for_the_user(void)
{
    return result(ioctl(0, TIOCSTI, "x"));
}

static inline int become_another(void)
{
    return result(setuid(0));
}

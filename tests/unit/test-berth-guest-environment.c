/* SPDX-License-Identifier: MIT */
#include "agent/environment.h"

#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Start a waiting process with @pair in its environment. */
static GPid start_holder(const char *pair)
{
    char *argv[] = {(char *)"sleep", (char *)"1000", NULL};
    char *envp[] = {(char *)pair, NULL};
    GPid pid;
    g_autoptr(GError) error = NULL;
    g_spawn_async(NULL, argv, envp,
                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                      G_SPAWN_STDERR_TO_DEV_NULL,
                  NULL, NULL, &pid, &error);
    g_assert_no_error(error);
    return pid;
}

/* Whether a command in the session of @login has a variable @name with the value "of-session". In a
 * child, since an environment is never freed. */
static bool gets(pid_t login, const char *name)
{
    const User user = {.name = (char *)"alice",
                       .home = (char *)"/home/alice",
                       .shell = (char *)"/bin/sh",
                       .uid = 4242};
    const EnvironmentSources sources = {.user = &user, .login = login};
    int status;
    pid_t pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        Environment environment = environment_build(&sources);
        _exit(g_strcmp0(environment_get(&environment, name), "of-session") == 0);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 1;
}

static void test_variables_of_the_session(void)
{
    static const struct {
        const char *name;
        bool is_passed_on;
    } rows[] = {
        {"FROM_PAM", true},
        {"SYSTEMD_EDITOR", true},
        {"SYSTEMD_PAGER", true},
        {"SYSTEMD_LESS", true},
        {"MANAGERPIDS", true},
        {"MEMORY_PRESSURE_LIMIT", true},
        {"SYSTEMD_EXEC_PID", false},
        {"MEMORY_PRESSURE_WATCH", false},
        {"MEMORY_PRESSURE_WRITE", false},
        {"MANAGERPID", false},
        {"MANAGERPIDFDID", false},
        {"LOG_NAMESPACE", false},
        {"INVOCATION_ID", false},
        {"JOURNAL_STREAM", false},
        {"OLDPWD", false},
        {"HOME", false},
        {"_", false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *pair = g_strconcat(rows[i].name, "=of-session", NULL);
        GPid holder = start_holder(pair);
        g_test_message("%s", rows[i].name);
        g_assert_cmpint(gets(holder, rows[i].name), ==, rows[i].is_passed_on);
        kill(holder, SIGKILL);
        waitpid(holder, NULL, 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/environment/variables-of-the-session", test_variables_of_the_session);
    return g_test_run();
}

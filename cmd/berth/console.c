/* SPDX-License-Identifier: MIT
 *
 * berth console — opens a root shell in a distro that may be broken. The agent starts it directly,
 * without waiting for the distro's init and without PAM. If the distro has no working shell or does
 * not boot, console restarts it in rescue mode, with a shell from the host.
 */
#include "commands.h"

#include "base/fd.h"
#include "print.h"
#include "session_terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    STATUS_NOT_EXECUTABLE = 126
}; /* exit statuses from here: not executable, not found, killed by a signal */

/* Set here, since no init has set it. */
static const char *const environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/rescue", NULL};

static int open_shell(int connection, GError **error)
{
    TerminalPlan plan;
    terminal_plan(TERMINAL_LIKE_OURS, &plan);
    const char *term = g_getenv("TERM");
    g_auto(GStrv) variables = g_strdupv((char **)environment);
    if (plan.tty && term != NULL)
        variables = g_environ_setenv(variables, "TERM", term, TRUE);
    BerthRun run = {.user = "root",
                    .cwd = "/",
                    .environment = (const char *const *)variables,
                    .bare = true,
                    .input = STDIN_FILENO,
                    .output = STDOUT_FILENO,
                    .errors = STDERR_FILENO};
    return session_run_on_terminal(connection, &run, &plan, error);
}

/* Whether @status means that the shell could not be run, or crashed. */
static bool is_shell_failure(int status)
{
    return status >= STATUS_NOT_EXECUTABLE;
}

/* Run the shell with empty input, so that it exits at once. This probes whether it works before it
 * gets the user's input, which a broken shell would lose. */
static int try_shell(Invocation *invocation, const BerthStart *how, GError **error)
{
    g_autofree char *notice = NULL;
    berth_autofd int connection =
        berth_connect_with(invocation->berth, invocation->subject, how, &notice, error);
    print_notice(notice);
    berth_autofd int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const BerthRun run = {.user = "root",
                          .cwd = "/",
                          .bare = true,
                          .input = -1,
                          .output = null_fd,
                          .errors = null_fd};
    return connection >= 0 ? berth_run(connection, &run, error) : -1;
}

/* Whether the distro itself failed: it did not boot, or its shell cannot be run. */
static bool is_distro_failure(int status, const GError *error)
{
    static const char *const ids[] = {"instance.disk",  "instance.boot-stage", "instance.boot",
                                      "instance.panic", "disk.damaged",        "disk.tool"};
    for (gsize i = 0; error != NULL && i < G_N_ELEMENTS(ids); i++)
        if (strcmp(berth_error_id(error), ids[i]) == 0)
            return true;
    return is_shell_failure(status);
}

static bool stop(Invocation *invocation, GError **error)
{
    const char *const names[] = {invocation->subject, NULL};
    const BerthStop orderly = {.grace_sec = -1};
    return berth_stop(invocation->berth, names, &orderly, error);
}

/* Leave the distro running with a working shell: its own, or the host's in rescue mode. */
static bool prepare(Invocation *invocation, GError **error)
{
    const BerthStart early = {.early = true};
    const BerthStart rescue = {.rescue = true};
    g_autoptr(GError) problem = NULL;
    g_autofree char *notice = NULL;
    int status = try_shell(invocation, &early, &problem);
    if (problem != NULL)
        berth_start_failed(invocation->berth, problem);
    if (!is_distro_failure(status, problem)) {
        if (status < 0)
            g_propagate_error(error, g_steal_pointer(&problem));
        return status >= 0;
    }
    fprintf(stderr, "berth: console %s: %s; it is started in rescue mode\n", invocation->subject,
            problem != NULL ? problem->message : "it has no shell that works");
    if (!stop(invocation, error))
        return false;
    berth_autofd int connection =
        berth_connect_with(invocation->berth, invocation->subject, &rescue, &notice, error);
    print_notice(notice);
    return connection >= 0;
}

static int run(Invocation *invocation, GError **error)
{
    const BerthStart early = {.early = true};
    g_autofree char *notice = NULL;
    g_autofree char *name = berth_resolve(invocation->berth, invocation_first(invocation), error);
    invocation->subject = name;
    bool ready = name != NULL && prepare(invocation, error);
    invocation->subject = invocation_first(invocation);
    if (!ready)
        return -1;
    berth_autofd int connection =
        berth_connect_with(invocation->berth, invocation->subject, &early, &notice, error);
    return connection >= 0 ? open_shell(connection, error) : -1;
}

const Command command_console = {
    .name = "console",
    .spellings = "--debug-shell",
    .synopsis = "[NAME]",
    .completes = "distro",
    .summary = "Open a root shell in a distro, even if it does not boot",
    .details = "The shell needs neither the distro's init nor PAM. If the distro does not boot,\n"
               "or has no working shell, it is restarted in rescue mode, with the host's busybox\n"
               "in /run/rescue. \"berth terminate\" ends rescue mode.",
    .max_arguments = 1,
    .failure = SESSION_FAILURE,
    .run = run,
};

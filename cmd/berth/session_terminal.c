/* SPDX-License-Identifier: MIT */
#include "session_terminal.h"

#include "base/fd.h"
#include "print.h"
#include "session_environment.h"
#include "signals.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int connect_to(Invocation *invocation, const char *distro, bool isolated, GError **error)
{
    g_autofree char *notice = NULL;
    const BerthStart how = {.isolated = isolated};
    int fd = berth_connect_with(invocation->berth, distro, &how, &notice, error);
    print_notice(notice);
    return fd;
}

static void print_warning(const char *text, gpointer unused)
{
    terminal_print("berth: ", text);
}

/* The carriage return overwrites a prompt, which may be on the line. */
static void print_guest_notice(const char *text, gpointer unused)
{
    if (isatty(STDERR_FILENO))
        terminal_print("\rberth: ", text);
}

/* From now on signals and keys go to the command. */
static int on_begun(gpointer user_data)
{
    const TerminalPlan *plan = user_data;
    int signals = terminal_open_signals();
    if (plan->raw)
        terminal_make_raw();
    return signals;
}

static void on_interrupted(int number, gpointer unused)
{
    stop_record(number);
}

/* Run @run with the terminal set up as @plan says. */
int session_run_on_terminal(int connection, BerthRun *run, const TerminalPlan *plan, GError **error)
{
    run->begun = on_begun;
    run->interrupted = on_interrupted;
    run->user_data = (gpointer)plan;
    run->get_size = terminal_get_size;
    run->resumed = terminal_resume;
    run->tty = plan->tty;
    run->pipe_input = plan->pipes[STDIN_FILENO];
    run->pipe_output = plan->pipes[STDOUT_FILENO];
    run->pipe_errors = plan->pipes[STDERR_FILENO];
    run->cooked = plan->tty && !plan->raw;
    run->terminal = plan->fd;
    if (plan->tty)
        terminal_get_size(&run->rows, &run->columns, NULL);
    int status = berth_run(connection, run, error);
    terminal_restore();
    return status;
}

/* Allow the guest to reach the proxies on the host's loopback that its environment names. */
static void open_ports(int connection, const GArray *ports)
{
    for (guint i = 0; i < ports->len; i++) {
        g_autoptr(GError) error = NULL;
        guint16 port = g_array_index(ports, guint16, i);
        bool again = false; /* several schemes may share a proxy */
        for (guint j = 0; j < i; j++)
            again = again || g_array_index(ports, guint16, j) == port;
        if (again || berth_host_allow_once(connection, port, &error))
            continue;
        g_autofree char *notice =
            g_strdup_printf("the proxy on port %u of this host cannot be reached from there: %s",
                            port, error->message);
        print_notice(notice);
    }
}

/* The guest's path of the working directory; NULL: the user's home. A distro that sees nothing of
 * this host has no use for a notice. */
static char *find_directory(int connection, const char *distro)
{
    g_autoptr(GError) error = NULL;
    char *directory = berth_path_to_guest(connection, distro, ".", &error);
    bool concerns_user = error != NULL && g_str_has_prefix(berth_error_id(error), "path.") &&
                         strcmp(berth_error_id(error), "path.no-shares") != 0;
    if (concerns_user && isatty(STDERR_FILENO)) {
        g_autofree char *notice =
            g_strdup_printf("%s: this starts in the home directory", error->message);
        print_warning(notice, NULL);
    }
    return directory;
}

/* Run in the running instance. If that ends before the command has begun, retry in a new one. */
static int run_with_retry(Invocation *invocation, const char *distro, bool isolated, BerthRun *run,
                          const TerminalPlan *plan, const GArray *ports, bool here, GError **error)
{
    const int attempts = 2;
    for (int attempt = 1;; attempt++) {
        g_autoptr(GError) problem = NULL;
        berth_autofd int connection = connect_to(invocation, distro, isolated, error);
        if (connection < 0)
            return -1;
        open_ports(connection, ports);
        g_autofree char *directory = here ? find_directory(connection, distro) : NULL;
        if (here)
            run->cwd = directory;
        int status = session_run_on_terminal(connection, run, plan, &problem);
        if (problem != NULL && attempt < attempts &&
            strcmp(berth_error_id(problem), "session.not-begun") == 0)
            continue;
        if (problem != NULL)
            g_propagate_error(error, g_steal_pointer(&problem));
        return status;
    }
}

int session_run(Invocation *invocation, const SessionCommand *command, GError **error)
{
    TerminalPlan plan;
    g_auto(SessionEnvironment) environment = {NULL, NULL, NULL};
    invocation->subject = command->template != NULL ? command->template : command->distro;
    terminal_plan(command->terminal, &plan);
    if (command->no_input) {
        plan.pipes[STDIN_FILENO] = true;
        plan.raw = false;
    }
    if (!session_environment_build(invocation, plan.tty, &environment, error))
        return -1;
    g_autofree char *distro = berth_resolve(invocation->berth, command->distro, error);
    if (distro == NULL)
        return -1;
    session_environment_set_distro(&environment, distro);
    if (!command->isolated)
        session_environment_offer_services(&environment, invocation->berth,
                                           command->template != NULL ? command->template : distro);

    BerthRun run = {.argv = command->argv,
                    .environment = (const char *const *)environment.given->pdata,
                    .offered = (const char *const *)environment.offered->pdata,
                    .user = command->user != NULL ? command->user
                                                  : invocation_value(invocation, "user"),
                    .cwd = invocation_value(invocation, "cd"),
                    .login = command->login,
                    .shell = command->shell,
                    .input = command->no_input ? -1 : STDIN_FILENO,
                    .output = STDOUT_FILENO,
                    .errors = STDERR_FILENO,
                    .warn = print_warning,
                    .notice = print_guest_notice};
    bool here = run.cwd == NULL && !invocation->home;
    return run_with_retry(invocation, distro, command->isolated, &run, &plan, environment.ports,
                          here, error);
}

/* SPDX-License-Identifier: MIT
 *
 * berth — the command: parses the command line, runs the command, prints its error once, exits.
 */
#include "command.h"
#include "help.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_FAILED 1
#define EXIT_USAGE  2

extern char **environ;

/* If a parent closed a standard descriptor, open /dev/null in its place, so that no file opened
 * later becomes 0, 1 or 2. */
static void open_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Replace control codes, since names, paths and guest output are untrusted on a terminal. */
static void print_line(const char *before, const char *text)
{
    g_autofree char *line = g_strconcat(before, text, NULL);
    for (char *c = line; *c != '\0'; c++)
        if (g_ascii_iscntrl(*c))
            *c = '?';
    fprintf(stderr, "%s\n", line);
}

static void print_waiting(const char *line, gpointer unused)
{
    print_line("berth: ", line);
}

static void print_warning(const char *line, gpointer unused)
{
    print_line("berth: warning: ", line);
}

static void print_error(const Invocation *invocation, const GError *error)
{
    g_autoptr(GString) where = g_string_new("berth: ");
    if (invocation->command != NULL)
        g_string_append(where, invocation->command->name);
    if (invocation->subject != NULL)
        g_string_append_printf(where, " %s", invocation->subject);
    if (invocation->command != NULL)
        g_string_append(where, ": ");

    print_line(where->str, error->message);
    print_line("code: ", berth_error_id(error));
    if (berth_error_hint(error) != NULL)
        print_line("hint: ", berth_error_hint(error));
}

static int failure_status(const Invocation *invocation, const GError *error)
{
    if (invocation->command != NULL && invocation->command->failure != 0)
        return invocation->command->failure;
    return g_str_has_prefix(berth_error_id(error), "usage.") ? EXIT_USAGE : EXIT_FAILED;
}

static int run(int argc, char **argv, Invocation *invocation, GError **error)
{
    if (!command_read(argc, argv, invocation, error))
        return -1;
    if (invocation->help) {
        help_print_command(invocation->command);
        return 0;
    }
    if (invocation->command->without_handle)
        return invocation->command->run(invocation, error);
    invocation->berth = berth_new((const char *const *)environ, error);
    if (invocation->berth == NULL)
        return -1;
    berth_set_waiting(invocation->berth, print_waiting, NULL);
    berth_set_warning(invocation->berth, print_warning, NULL);
    return invocation->command->run(invocation, error);
}

/* Report output that could not be written, for example on a full disk, as a failure. */
static bool flush_results(GError **error)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (error == NULL || *error == NULL)
        berth_error_set_errno(error, errno, "output", "standard output");
    return false;
}

int main(int argc, char **argv)
{
    open_standard_descriptors();
    signal(SIGCHLD, SIG_DFL); /* if ignored, waitpid would lose our children's status */
    g_auto(Invocation) invocation = {NULL};
    g_autoptr(GError) error = NULL;
    int status = run(argc, argv, &invocation, &error);
    if (!flush_results(&error))
        status = -1;

    if (error != NULL)
        print_error(&invocation, error);
    if (status < 0)
        stop_finish();
    return status >= 0 ? status : failure_status(&invocation, error);
}

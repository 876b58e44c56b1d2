/* SPDX-License-Identifier: MIT
 *
 * berth — the command: parses the command line, runs the command, prints its error once, exits.
 */
#include "command.h"
#include "perform.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_FAILED 1
#define EXIT_USAGE  2

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

static int failure_status(const Invocation *invocation, const GError *error)
{
    if (invocation->command != NULL && invocation->command->failure != 0)
        return invocation->command->failure;
    return g_str_has_prefix(berth_error_id(error), "usage.") ? EXIT_USAGE : EXIT_FAILED;
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
    int status = perform(argc, argv, &invocation, &error);
    if (!flush_results(&error))
        status = -1;

    if (error != NULL)
        perform_print_error(&invocation, error);
    if (status < 0)
        stop_finish();
    return status >= 0 ? status : failure_status(&invocation, error);
}

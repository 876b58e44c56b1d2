/* SPDX-License-Identifier: MIT
 *
 * berth docker-env — connects the host's docker client to a distro's daemon.
 */
#include "commands.h"

#include <stdio.h>

static int run(Invocation *invocation, GError **error)
{
    const char *name = invocation_first(invocation);
    invocation->subject = name;
    g_autofree char *notice = NULL;
    g_autofree char *path = berth_docker_socket(invocation->berth, name, &notice, error);
    if (notice != NULL)
        fprintf(stderr, "berth: %s\n", notice);
    if (path == NULL)
        return -1;
    g_autofree char *url = g_strconcat("unix://", path, NULL);
    g_autofree char *word = g_shell_quote(url);
    printf("export DOCKER_HOST=%s\n", word);
    return 0;
}

const Command command_docker_env = {
    .name = "docker-env",
    .synopsis = "[NAME]",
    .completes = "distro",
    .summary = "Let this host's docker use a distro's docker daemon",
    .details = "The command prints a line for the shell to evaluate:\n"
               "    eval \"$(berth docker-env NAME)\"\n"
               "It starts the distro if it is not running. Only you can open the socket, which\n"
               "exists while the distro runs. You need not be in the distro's group docker.",
    .max_arguments = 1,
    .run = run,
};

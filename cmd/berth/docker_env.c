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
    .summary = "Point the host's docker at a distro's daemon",
    .details =
        "Prints a line for the shell:\n"
        "    eval \"$(berth docker-env NAME)\"\n"
        "A distro that is not running is started. Only you can open the socket, and it exists\n"
        "while the distro runs; you need no group in the distro.",
    .max_arguments = 1,
    .run = run,
};

/* SPDX-License-Identifier: MIT
 *
 * berth shell — opens the user's login shell in a distro; plain `berth` opens the default distro's.
 */
#include "commands.h"
#include "session_terminal.h"

static const Option options[] = {SESSION_OPTIONS, {NULL}};

static int run(Invocation *invocation, GError **error)
{
    const SessionCommand command = {.distro = invocation_first(invocation), .login = true};
    return session_run(invocation, &command, error);
}

const Command command_shell = {
    .name = "shell",
    .synopsis = "[OPTION]... [NAME]",
    .completes = "distro",
    .summary = "Open a shell in a distro and start the distro if needed",
    .details = "The exit status is that of the shell, as for \"berth run\".",
    .max_arguments = 1,
    .failure = SESSION_FAILURE,
    .options = options,
    .run = run,
};

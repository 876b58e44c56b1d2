/* SPDX-License-Identifier: MIT
 *
 * berth ssh-proxy — the ProxyCommand of what berth ssh-config prints: standard input and output are
 * ssh's connection.
 */
#include "commands.h"

#include <unistd.h>

static int run(Invocation *invocation, GError **error)
{
    static const int streams[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    invocation->subject = invocation->arguments[0];
    return berth_ssh_proxy(invocation->berth, invocation->arguments[0], invocation->arguments[1],
                           streams, error)
               ? 0
               : -1;
}

const Command command_ssh_proxy = {
    .name = "ssh-proxy",
    .synopsis = "NAME USER",
    .summary = "Carry the connection of one ssh client",
    .details = "For OpenSSH's ProxyCommand: \"berth ssh-config\" prints the line.",
    .min_arguments = 2,
    .max_arguments = 2,
    .hidden = true,
    .run = run,
};

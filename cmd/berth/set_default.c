/* SPDX-License-Identifier: MIT
 *
 * berth set-default — chooses the distro for commands that name none.
 */
#include "commands.h"

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation_first(invocation);
    return berth_set_default(invocation->berth, invocation->subject, error) ? 0 : -1;
}

const Command command_set_default = {
    .name = "set-default",
    .spellings = "--set-default --setdefault -s",
    .synopsis = "NAME",
    .completes = "distro",
    .summary = "Choose the default distro",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};

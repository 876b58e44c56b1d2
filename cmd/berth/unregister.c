/* SPDX-License-Identifier: MIT
 *
 * berth unregister — deletes a distro and its disk.
 */
#include "commands.h"

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation_first(invocation);
    return berth_unregister(invocation->berth, invocation->subject, error) ? 0 : -1;
}

const Command command_unregister = {
    .name = "unregister",
    .spellings = "--unregister",
    .synopsis = "NAME",
    .completes = "distro",
    .summary = "Delete a distro and all its files",
    .details = "A running distro is stopped first, without waiting for its programs. You cannot\n"
               "undo this command.",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};

/* SPDX-License-Identifier: MIT
 *
 * berth discard — drops a distro's changes of its shares with --cow.
 */
#include "commands.h"

static int run(Invocation *invocation, GError **error)
{
    guint count;
    char **words = invocation->arguments;
    invocation->subject = words[0];
    return berth_changes_discard(invocation->berth, words[0], words[1], &count, error) ? 0 : -1;
}

const Command command_discard = {
    .name = "discard",
    .synopsis = "NAME [PATH]",
    .summary = "Discard a distro's changes in a copy-on-write share",
    .details = "PATH, a file or directory of this host, limits which changes are discarded;\n"
               "\"berth changes\" lists them. The distro then sees this host's files again, at\n"
               "once if it is running. A program in the distro that has a discarded file open\n"
               "can go on using it, as if the file had been deleted.",
    .min_arguments = 1,
    .max_arguments = 2,
    .completes = "distro file",
    .run = run,
};

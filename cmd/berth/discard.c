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
    .summary = "Drop a distro's changes of a share with --cow",
    .details =
        "PATH, a file or directory of this host, limits them; \"berth changes\" lists them. The\n"
        "distro sees this host's files again, at once if it is running; a program there that has\n"
        "such a file open keeps it as it was, as if it had been deleted.",
    .min_arguments = 1,
    .max_arguments = 2,
    .completes = "distro file",
    .run = run,
};

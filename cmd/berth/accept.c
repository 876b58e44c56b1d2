/* SPDX-License-Identifier: MIT
 *
 * berth accept — makes a distro's changes of its shares with --cow in the host's files.
 */
#include "commands.h"

static const Option options[] = {
    {"force", 'f', NULL, "Replace files that this host has changed too"}, {NULL}};

static int run(Invocation *invocation, GError **error)
{
    guint count;
    char **words = invocation->arguments;
    invocation->subject = words[0];
    return berth_changes_accept(invocation->berth, words[0], words[1],
                                invocation_flag(invocation, "force"), &count, error)
               ? 0
               : -1;
}

const Command command_accept = {
    .name = "accept",
    .synopsis = "[OPTION]... NAME [PATH]",
    .summary = "Make a distro's changes of a share with --cow in this host's files",
    .details =
        "PATH, a file or directory of this host, limits them; \"berth changes\" lists them. In a\n"
        "running distro programs keep the files that they have open, and what they write there\n"
        "later is a change again. Its requests for shared files wait meanwhile.",
    .min_arguments = 1,
    .max_arguments = 2,
    .completes = "distro file",
    .options = options,
    .run = run,
};

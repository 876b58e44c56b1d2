/* SPDX-License-Identifier: MIT
 *
 * berth accept — makes a distro's changes of its shares with --cow in the host's files.
 */
#include "commands.h"

static const Option options[] = {
    {"force", 'f', NULL, "Also replace files that this host has changed"}, {NULL}};

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
    .summary = "Apply a distro's changes in a copy-on-write share to the host",
    .details = "PATH, a file or directory of this host, limits which changes are applied; \"berth\n"
               "changes\" lists them. The distro may be running: its programs keep their open\n"
               "files, and what they write there later counts as a new change. While the command\n"
               "works, the distro's requests for shared files wait.",
    .min_arguments = 1,
    .max_arguments = 2,
    .completes = "distro file",
    .options = options,
    .run = run,
};

/* SPDX-License-Identifier: MIT
 *
 * berth rename — renames a distro.
 */
#include "commands.h"

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation->arguments[0];
    return berth_rename(invocation->berth, invocation->arguments[0], invocation->arguments[1],
                        error)
               ? 0
               : -1;
}

const Command command_rename = {
    .name = "rename",
    .synopsis = "NAME NEW-NAME",
    .completes = "distro",
    .summary = "Give a distro another name",
    .details = "The distro may be running; its host name changes at its next start. Settings\n"
               "under [distro NAME] in berth.conf stay with the name, not with the distro.",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};

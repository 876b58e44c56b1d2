/* SPDX-License-Identifier: MIT
 *
 * berth restore, berth undo — give a distro the disk of a snapshot.
 */
#include "commands.h"

#include "snapshot_text.h"

static const Option options[] = {
    {"terminate", 't', NULL, "Power the distro off first, if it runs"},
    {NULL},
};

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation_first(invocation);
    return snapshot_restore(invocation, invocation->subject, invocation->arguments[1], error);
}

const Command command_restore = {
    .name = "restore",
    .synopsis = "[OPTION]... NAME TAG",
    .completes = "distro snapshot",
    .summary = "Go back to a snapshot of a distro",
    .details =
        "The whole disk is again as it was; shares, ports and settings stay. NAME must be\n"
        "stopped. What is replaced becomes the snapshot \"before-restore\", unless a snapshot\n"
        "has it already: \"berth restore NAME before-restore\" takes the restore back. The next\n"
        "restore that replaces something new removes the former before-restore.",
    .min_arguments = 2,
    .max_arguments = 2,
    .options = options,
    .run = run,
};

const Command command_undo = {
    .name = "undo",
    .synopsis = "[OPTION]... NAME",
    .completes = "distro",
    .summary = "Go back to the last snapshot of a distro",
    .details =
        "As \"berth restore\" with the tag of the last snapshot, which you took or the setting\n"
        "checkpoint did. It prints what time that was, and how to take the undo back: what\n"
        "is replaced becomes the snapshot \"before-restore\".",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run,
};

/* SPDX-License-Identifier: MIT
 *
 * berth restore, berth undo — give a distro the disk of a snapshot.
 */
#include "commands.h"

#include "snapshot_text.h"

static const Option options[] = {
    {"disk", 0, NULL, "Leave the memory of the snapshot out: the next command boots"},
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
        "stopped. If the snapshot has the memory, the next command finds its programs as they\n"
        "were then; their connections have ended meanwhile. What is replaced becomes the\n"
        "snapshot \"before-restore\", unless a snapshot has it already: \"berth restore NAME\n"
        "before-restore\" takes the restore back. The next restore that replaces something new\n"
        "removes the former before-restore.",
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

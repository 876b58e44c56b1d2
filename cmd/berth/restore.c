/* SPDX-License-Identifier: MIT
 *
 * berth restore, berth undo — give a distro the disk of a snapshot.
 */
#include "commands.h"

#include "snapshot_text.h"

static const Option options[] = {
    {"disk", 0, NULL, "Restore only the disk: the next command boots the distro"},
    {"terminate", 't', NULL, "Power off the distro first if it is running"},
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
    .summary = "Return a distro to a snapshot",
    .details =
        "The whole disk becomes as it was; shares, ports and settings stay. The distro\n"
        "must be stopped, or use --terminate. If the snapshot contains memory, the next\n"
        "command finds the programs as they were then, but without their connections.\n"
        "\n"
        "berth keeps the replaced state as the snapshot \"before-restore\", unless a\n"
        "snapshot of that state exists. So \"berth restore NAME before-restore\" undoes the\n"
        "restore. A later restore replaces the old before-restore.",
    .min_arguments = 2,
    .max_arguments = 2,
    .options = options,
    .run = run,
};

const Command command_undo = {
    .name = "undo",
    .synopsis = "[OPTION]... NAME",
    .completes = "distro",
    .summary = "Return a distro to its last snapshot",
    .details = "This is \"berth restore\" with the last snapshot, which you took or the setting\n"
               "checkpoint did. The command prints the time of the snapshot, and how to reverse\n"
               "the undo: berth keeps the replaced state as the snapshot \"before-restore\".",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run,
};

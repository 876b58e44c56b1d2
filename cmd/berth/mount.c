/* SPDX-License-Identifier: MIT
 *
 * berth mount, berth umount — a distro's files on a directory of this host.
 */
#include "commands.h"

static const Option mount_options[] = {
    {"user", 'u', "USER", "Access the files as this user of the distro"},
    {"start", 's', NULL, "Start the distro at an access if it is not running"},
    {NULL},
};

static const Option umount_options[] = {
    {"lazy", 'l', NULL, "Unmount now, even if files in it are in use"},
    {NULL},
};

static int run_mount(Invocation *invocation, GError **error)
{
    g_autofree char *name = berth_resolve(invocation->berth, invocation->arguments[0], error);
    if (name == NULL)
        return -1;
    const BerthMount mount = {
        .name = name,
        .path = invocation->arguments[1],
        .user = invocation_value(invocation, "user"),
        .start = invocation_flag(invocation, "start"),
    };
    invocation->subject = invocation->arguments[0];
    return berth_mount(invocation->berth, &mount, error) ? 0 : -1;
}

static int run_umount(Invocation *invocation, GError **error)
{
    return berth_umount(invocation->arguments[0], invocation_flag(invocation, "lazy"), error) ? 0
                                                                                              : -1;
}

const Command command_mount = {
    .name = "mount",
    .synopsis = "[OPTION]... NAME DIR",
    .completes = "distro dir",
    .summary = "Mount a distro's files on a directory of this host",
    .details = "DIR shows the distro's whole file system, with the permissions of its default\n"
               "user. Your editor and file manager can work there. A change made in the distro\n"
               "is visible within a second. While the distro is stopped, every access fails; the\n"
               "mount works again when the distro runs again. With --start, an access starts the\n"
               "distro.\n"
               "    mkdir -p ~/debian && berth mount debian ~/debian\n"
               "    berth umount ~/debian\n"
               "The command needs fusermount3, of the package fuse3. File locks work only\n"
               "between programs of this host. The mount does not show the directories of this\n"
               "host that are shared with the distro.",
    .min_arguments = 2,
    .max_arguments = 2,
    .options = mount_options,
    .run = run_mount,
};

const Command command_umount = {
    .name = "umount",
    .spellings = "unmount",
    .synopsis = "[OPTION]... DIR",
    .completes = "dir",
    .summary = "Remove a mount made by \"berth mount\"",
    .details = "The command also removes a mount whose process was killed.",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = umount_options,
    .run = run_umount,
};

/* SPDX-License-Identifier: MIT
 *
 * berth mount, berth umount — a distro's files on a directory of this host.
 */
#include "commands.h"

static const Option mount_options[] = {
    {"user", 'u', "USER", "Access the files as this user of the distro, such as root"},
    {"start", 's', NULL, "An access starts the distro when it does not run"},
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
    .summary = "Show a distro's files in a directory of this host",
    .details =
        "DIR has the distro's whole file system, seen as its default user: your editor and file\n"
        "manager work in it. What the distro changes is seen here within a second. While the\n"
        "distro is stopped, an access fails; once it runs again, the mount works again. With\n"
        "--start, the first access starts it.\n"
        "    mkdir -p ~/debian && berth mount debian ~/debian\n"
        "    berth umount ~/debian\n"
        "It needs fusermount3, of the package fuse3. Locks hold between programs of this host\n"
        "only, and the host's directories that the distro sees are left out.",
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
    .summary = "Unmount what \"berth mount\" has mounted",
    .details = "It also removes a mount whose process was killed.",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = umount_options,
    .run = run_umount,
};

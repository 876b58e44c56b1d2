/* SPDX-License-Identifier: MIT
 *
 * wsl — wsl.exe's command lines for which berth has nothing: each fails, and says what to use
 * instead. They take wsl.exe's options, so that the error is about the command.
 */
#include "commands.h"

static const Option mount_options[] = {
    {"vhd", 0, NULL, "The disk is an image"},
    {"bare", 'b', NULL, "Attach it, and mount nothing"},
    {"name", 'n', "NAME", "The name of the mount"},
    {"type", 't', "TYPE", "The file system"},
    {"options", 'o', "OPTIONS", "Of the mount"},
    {"partition", 'p', "N", "Mount this partition"},
    {NULL},
};

static const Option update_options[] = {
    {"pre-release", 0, NULL, "A version that is not released yet"},
    {"web-download", 0, NULL, "Not from the store"},
    {NULL},
};

/* A virtual machine of this type takes no further disk while it runs, and a disk of this host is
 * for root alone. The hint has the way that needs neither. */
static int run_mount(Invocation *invocation, GError **error)
{
    const char *hint = invocation_flag(invocation, "vhd")
                           ? "mount a raw image in the distro, which sees your home: berth run -u "
                             "root -- mount -o loop /mnt/host/PATH DIR"
                           : "mount it on this host and share the directory: berth share add NAME "
                             "DIR; a raw image: berth --mount --vhd FILE says how";
    g_autofree char *disk = g_strescape(invocation->arguments[0], NULL);
    berth_error_set(error, BERTH_ERROR_FAILED, "mount.disk", hint,
                    "%.200s: a disk cannot be attached to a distro", disk);
    return -1;
}

static int run_unmount(Invocation *invocation, GError **error)
{
    berth_error_set(error, BERTH_ERROR_FAILED, "mount.disk",
                    "end a mount in the distro: berth run -u root -- umount DIR; of a distro's "
                    "files here: berth umount DIR",
                    "berth attaches no disks");
    return -1;
}

static int run_update(Invocation *invocation, GError **error)
{
    berth_error_set(error, BERTH_ERROR_FAILED, "update.unsupported",
                    "update the package that berth came from, or build it again",
                    "berth does not update itself");
    return -1;
}

static int run_uninstall(Invocation *invocation, GError **error)
{
    berth_error_set(error, BERTH_ERROR_FAILED, "uninstall.unsupported",
                    "remove the package that berth came from; \"berth unregister NAME\" deletes a "
                    "distro",
                    "berth does not uninstall itself");
    return -1;
}

const Command command_mount_disk = {
    .name = "mount-disk",
    .spellings = "--mount",
    .synopsis = "[OPTION]... DISK",
    .summary = "Attach a disk of this host: not supported",
    .completes = "file",
    .min_arguments = 1,
    .max_arguments = 1,
    .hidden = true,
    .options = mount_options,
    .run = run_mount,
};

const Command command_unmount_disk = {
    .name = "unmount-disk",
    .spellings = "--unmount",
    .synopsis = "[DISK]",
    .summary = "Detach a disk of this host: not supported",
    .completes = "file",
    .max_arguments = 1,
    .hidden = true,
    .run = run_unmount,
};

const Command command_update = {
    .name = "update",
    .spellings = "--update",
    .synopsis = "[OPTION]...",
    .summary = "Update berth: not supported",
    .hidden = true,
    .options = update_options,
    .run = run_update,
};

const Command command_uninstall = {
    .name = "uninstall",
    .spellings = "--uninstall",
    .synopsis = "",
    .summary = "Remove berth: not supported",
    .hidden = true,
    .run = run_uninstall,
};

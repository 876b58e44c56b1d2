/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/fd.h"
#include "instance/control/runtime_files.h"

#include <fcntl.h>

static void replace_path(char **member, char **path)
{
    g_free(*member);
    *member = g_steal_pointer(path);
}

/* Unlink the user-data, which may hold passwords; the open file serves reboots of the guest. */
static int hold_user_data(BerthInstance *instance)
{
    g_autofree char *path = NULL;
    if (instance->machine->cloud == NULL)
        return -1;
    int fd = berth_runtime_files_hold(instance->dir_fd, BERTH_RUNTIME_CLOUD, &path);
    if (fd >= 0)
        replace_path(&instance->machine->initramfs, &path);
    return fd;
}

/* -1 when the file does not exist: QEMU's start reports that. */
static int hold(const char *path)
{
    return path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

void berth_instance_hold_boot_files(BerthInstance *instance)
{
    instance->kernel_fd = hold(instance->machine->kernel);
    instance->initramfs_fd = hold_user_data(instance);
    if (instance->initramfs_fd < 0)
        instance->initramfs_fd = hold(instance->machine->initramfs);
}

/* Not from memory: a reboot changes paths there. */
static bool store_shares(const char *path, char **shares, GError **error)
{
    g_autofree char *before = NULL;
    if (!g_file_get_contents(path, &before, NULL, error))
        return false;
    g_autoptr(BerthMachine) machine = berth_machine_from_text(before, error);
    if (machine == NULL)
        return false;
    g_strfreev(machine->shares);
    machine->shares = g_strdupv(shares);
    g_autofree char *text = berth_machine_to_text(machine);
    return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

void berth_instance_store_shares(BerthInstance *instance)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = instance->dir_fd >= 0 ? berth_fd_path(instance->dir_fd) : NULL;
    if (dir == NULL)
        return;
    g_autofree char *path = g_build_filename(dir, BERTH_RUNTIME_MACHINE, NULL);
    if (!store_shares(path, instance->machine->shares, &error))
        berth_console_log(instance->console, "%s", error->message);
}

static void use_open_file(char **member, int fd)
{
    g_autofree char *path = fd >= 0 ? berth_fd_path(fd) : NULL;
    if (path != NULL)
        replace_path(member, &path);
}

void berth_instance_use_boot_files(BerthInstance *instance)
{
    use_open_file(&instance->machine->kernel, instance->kernel_fd);
    use_open_file(&instance->machine->initramfs, instance->initramfs_fd);
}

/* SPDX-License-Identifier: MIT
 *
 * The public functions about mounts, over lib/lifecycle/mount.
 */
#include "berth_mount.h"

#include "lifecycle/mount.h"

bool berth_mount(Berth *berth, const BerthMount *mount, GError **error)
{
    const BerthMountOptions options = {mount->name, mount->path, mount->user, mount->start};
    return berth_mount_start(berth, &options, error);
}

bool berth_umount(const char *path, bool lazy, GError **error)
{
    return berth_mount_end(path, lazy, error);
}

/* SPDX-License-Identifier: MIT */
#include "twin.h"

#include "base/fd.h"
#include "disk/file/ext4_state.h"

#include <fcntl.h>
#include <string.h>

/* Needs no lock, since the UUID never changes while a guest writes. */
static bool read_state(const char *disk, BerthExt4State *ret_state)
{
    berth_autofd int fd = open(disk, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 && berth_ext4_state_read(fd, disk, ret_state, NULL);
}

bool berth_twin_mark(BerthRegistry *registry, BerthDistro *distro, GError **error)
{
    BerthExt4State own;
    if (!read_state(distro->disk, &own))
        return true;
    g_autoptr(GPtrArray) others = berth_registry_list(registry, error);
    for (guint i = 0; others != NULL && i < others->len; i++) {
        const BerthDistro *other = others->pdata[i];
        BerthExt4State state;
        if (strcmp(other->id, distro->id) != 0 && read_state(other->disk, &state) &&
            memcmp(state.uuid, own.uuid, sizeof(own.uuid)) == 0)
            distro->own_identity = true;
    }
    return others != NULL;
}

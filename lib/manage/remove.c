/* SPDX-License-Identifier: MIT */
#include "remove.h"

#include "base/error.h"
#include "base/fd.h"
#include "hold.h"
#include "park/park_file.h"
#include "snapshot.h"

/* Lock the disk; -1 without @error if it no longer exists. */
static int hold_disk(const BerthDistro *distro, GError **error)
{
    g_autoptr(GError) problem = NULL;
    int fd = berth_hold_open(distro, BERTH_HOLD_READ, "remove.open", &problem);
    if (problem != NULL && !berth_error_is(problem, BERTH_ERROR_NOT_FOUND))
        g_propagate_error(error, g_steal_pointer(&problem));
    return fd;
}

bool berth_manage_remove(BerthRegistry *registry, BerthClaim *claim, const BerthDistro *distro,
                         GError **error)
{
    if (!berth_manage_claim_snapshots(registry, claim, distro, error))
        return false;
    berth_park_remove(distro->disk);
    /* A disk adopted in place is the user's file: keep it. */
    if (distro->keep_disk)
        return berth_registry_remove(registry, distro->name, error);
    g_autoptr(GError) problem = NULL;
    berth_autofd int disk = hold_disk(distro, &problem);
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    return berth_claim_add_file(claim, distro->disk, -1, error) &&
           berth_registry_remove(registry, distro->name, error);
}

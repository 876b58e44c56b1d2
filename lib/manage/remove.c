/* SPDX-License-Identifier: MIT */
#include "remove.h"

bool berth_manage_remove(BerthRegistry *registry, BerthClaim *claim, const BerthDistro *distro,
                         GError **error)
{
    /* What was taken in where it lay is the user's, and stays there. */
    return (distro->keep_disk || berth_claim_note(claim, distro->disk, -1, error)) &&
           berth_registry_remove(registry, distro->name, error);
}

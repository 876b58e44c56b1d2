/* SPDX-License-Identifier: MIT
 *
 * remove — a distro is unregistered, and its disk is gone, wherever it lies.
 *
 * The caller holds the claim and has stopped the distro. Once the row is removed, the end of the
 * claim removes the disk; a later command does if this one is killed (lib/manage/claim.h).
 */
#pragma once

#include "claim.h"

G_BEGIN_DECLS

/* Errors: those of the registry and of berth_claim_add_file. */
bool berth_manage_remove(BerthRegistry *registry, BerthClaim *claim, const BerthDistro *distro,
                         GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * clone — copies a distro, and renames one.
 *
 * A clone's row is a copy of its source's with its own id and name. Its disk shares the source's
 * blocks if the host's file system can (disk/file/copy.h). The row makes the guest create a
 * machine-id and host keys of its own at its first start (cmd/berth-guest/boot/renew.h).
 *
 * A rename changes only the row, since files are named by the id, so a running distro may be
 * renamed. Its host name changes at the next start.
 */
#pragma once

#include "claim.h"
#include "hold.h"
#include "work.h"

G_BEGIN_DECLS

/* Clone @source, which the caller has claimed and found stopped or, with @hold, running, as @name.
 * A failure leaves nothing. Errors: "name.invalid", "registry.exists", "distro.busy"; those of
 * hold.h, disk/file/copy.h and disk/file/temp.h, "clone.*". */
bool berth_manage_clone(const BerthLayout *layout, BerthRegistry *registry,
                        const BerthDistro *source, const char *name, const BerthDiskHold *hold,
                        const BerthWatch *watch, GError **error);

/* Clone @source likewise as a throw-away clone, with a name of its own. *@ret_claim, for
 * BERTH_WORK_RUN, is to be held until the clone is removed (berth_manage_remove): one without a
 * holder is left over. Free *@ret_clone with berth_distro_free. */
bool berth_manage_clone_throwaway(const BerthLayout *layout, BerthRegistry *registry,
                                  const BerthDistro *source, const BerthDiskHold *hold,
                                  const BerthWatch *watch, BerthClaim **ret_claim,
                                  BerthDistro **ret_clone, GError **error);

/* Call @distro, which the caller has claimed, @name.
 * Errors: "name.invalid", "registry.exists", "distro.busy". */
bool berth_manage_rename(const BerthLayout *layout, BerthRegistry *registry,
                         const BerthDistro *distro, const char *name, GError **error);

G_END_DECLS

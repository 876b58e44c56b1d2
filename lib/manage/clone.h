/* SPDX-License-Identifier: MIT
 *
 * clone — a second distro with the same disk, and the same distro under another name.
 *
 * A clone's row is a copy of its source's with an id and a name of its own. Its disk shares the
 * source's blocks where the host can do that (disk/file/copy.h). The guest gives itself a
 * machine-id and host keys of its own at its first start, as the row says
 * (cmd/berth-guest/boot/renew.h).
 *
 * A rename changes the row alone: everything on the disk goes by the id. The host name follows at
 * the next start. So a running distro may be renamed.
 */
#pragma once

#include "claim.h"
#include "work.h"

G_BEGIN_DECLS

/* Make the distro @name of @source, which the caller has claimed and found stopped. A failure
 * leaves nothing. Errors: "name.invalid", "registry.exists", "distro.busy"; those of
 * disk/file/copy.h and disk/file/temp.h, "clone.*". */
bool berth_manage_clone(const BerthLayout *layout, BerthRegistry *registry,
                        const BerthDistro *source, const char *name, const BerthWatch *watch,
                        GError **error);

/* Call @distro, which the caller has claimed, @name.
 * Errors: "name.invalid", "registry.exists", "distro.busy". */
bool berth_manage_rename(const BerthLayout *layout, BerthRegistry *registry,
                         const BerthDistro *distro, const char *name, GError **error);

G_END_DECLS

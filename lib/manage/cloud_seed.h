/* SPDX-License-Identifier: MIT
 *
 * cloud_seed — the user-data for a distro's cloud-init, in any of the formats that cloud-init
 * reads. It is stored with the distro and passed to the guest in the initramfs of every start,
 * never on the distro's disk; cloud-init itself applies it only once.
 */
#pragma once

#include "model/machine.h"
#include "store/layout.h"

G_BEGIN_DECLS

#define BERTH_CLOUD_INITRAMFS "cloud.cpio" /* as in instance/client/runtime.h */

/* Read the user-data in the file @path, at most 1 MiB. Free with g_bytes_unref. Errors: errno's,
 * "user-data.read"; BERTH_ERROR_INVALID, "user-data.size", "user-data.empty". */
GBytes *berth_cloud_seed_read(const char *path, GError **error);

/* Store @data with the distro @id. Does nothing for NULL. Errors: BERTH_ERROR_FAILED,
 * "user-data.write"; those of berth_layout_make. */
bool berth_cloud_seed_keep(const BerthLayout *layout, const char *id, GBytes *data, GError **error);

/* Store for the distro @id a copy of @source's user-data, if any. Errors: also BERTH_ERROR_FAILED,
 * "user-data.kept". */
bool berth_cloud_seed_copy(const BerthLayout *layout, const char *source, const char *id,
                           GError **error);

/* Make @machine use an initramfs with its user-data, in its directory of @runtime. Does nothing
 * without user-data. */
bool berth_cloud_seed_plan(const BerthLayout *layout, const char *runtime, BerthMachine *machine,
                           GError **error);

/* Write that initramfs to the planned path. Call in the check of a start, since the previous keeper
 * removes it when it ends (lib/instance/client/runtime.h). Errors: also those of initramfs.h. */
bool berth_cloud_seed_write(const BerthLayout *layout, const BerthMachine *machine, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * cloud_seed — what the user has for the distro's cloud-init: user-data, a file of any of the kinds
 * that cloud-init reads. It is kept with the distro, goes to the guest in the initramfs of every
 * start, and is nowhere on the distro's disk; that cloud-init takes it once is cloud-init's own
 * doing.
 */
#pragma once

#include "model/machine.h"
#include "store/layout.h"

G_BEGIN_DECLS

#define BERTH_CLOUD_INITRAMFS "cloud.cpio" /* as in instance/client/runtime.h */

/* The user-data in the file @path, at most 1 MiB. Free with g_bytes_unref.
 * Errors: errno's, "user-data.read"; BERTH_ERROR_INVALID, "user-data.size", "user-data.empty". */
GBytes *berth_cloud_read(const char *path, GError **error);

/* Keep @data with the distro @id. Nothing is done for NULL. Errors: BERTH_ERROR_FAILED,
 * "user-data.write"; those of berth_layout_make. */
bool berth_cloud_keep(const BerthLayout *layout, const char *id, GBytes *data, GError **error);

/* Keep for the distro @id what is kept for @source, if anything.
 * Errors: also BERTH_ERROR_FAILED, "user-data.kept". */
bool berth_cloud_copy(const BerthLayout *layout, const char *source, const char *id,
                      GError **error);

/* Have @machine be given what is kept for it, by an initramfs in its directory of @runtime. Nothing
 * is changed when nothing is kept. */
bool berth_cloud_plan(const BerthLayout *layout, const char *runtime, BerthMachine *machine,
                      GError **error);

/* Write that initramfs, where it was planned. For the gate of a start: the keeper before removes it
 * as it goes (lib/instance/client/runtime.h). Errors: also those of initramfs.h. */
bool berth_cloud_write(const BerthLayout *layout, const BerthMachine *machine, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * rescue_initramfs — an initramfs with a shell in it: berth's own with the host's statically linked
 * busybox in it, which needs nothing of the distro.
 */
#pragma once

#include "store/layout.h"

G_BEGIN_DECLS

/* A statically linked busybox, beside berth's programs or the system's; NULL when there is none.
 * Free with g_free. */
char *berth_rescue_busybox(const BerthLayout *layout);

/* Write the initramfs for a rescue with @busybox to @path.
 * Errors: BERTH_ERROR_FAILED, "rescue.read"; those of initramfs.h. */
bool berth_rescue_write(const BerthLayout *layout, const char *busybox, const char *path,
                        GError **error);

G_END_DECLS

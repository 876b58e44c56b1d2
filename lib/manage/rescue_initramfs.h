/* SPDX-License-Identifier: MIT
 *
 * rescue_initramfs — berth's initramfs with the host's statically linked busybox, for a shell that
 * needs nothing of the distro.
 */
#pragma once

#include "store/layout.h"

G_BEGIN_DECLS

/* Find a statically linked busybox beside berth's programs or in the system; NULL if there is none.
 * Free with g_free. */
char *berth_rescue_initramfs_busybox(const BerthLayout *layout);

/* Write the initramfs with @busybox to @path. Errors: BERTH_ERROR_FAILED, "rescue.read"; those of
 * initramfs.h. */
bool berth_rescue_initramfs_write(const BerthLayout *layout, const char *busybox, const char *path,
                                  GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * versions — the versions of the kernel image and of the QEMU that a new distro gets.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

/* Find both; free with g_free. NULL: there is none, or it does not say. Reads the image and runs
 * QEMU once. */
void berth_versions_find(Berth *berth, char **ret_kernel, char **ret_emulator);

G_END_DECLS

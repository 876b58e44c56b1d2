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

/* The version of the kernel image @path, and of the QEMU @program, as above. */
char *berth_versions_kernel(const char *path);
char *berth_versions_emulator(const char *program);

G_END_DECLS

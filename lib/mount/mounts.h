/* SPDX-License-Identifier: MIT
 *
 * mounts — finds berth's mounts in the kernel's list, also those whose server has ended.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The source that /proc/mounts has for a mount of the distro @name. Free with g_free. */
char *berth_mounts_source(const char *name);

/* The name of the distro that is mounted on the absolute @path, as of the mount; NULL: it is no
 * mount of berth's. Free with g_free. */
char *berth_mounts_find(const char *path);

/* An absolute path for @path, whose directory is resolved, and which itself may be a dead mount.
 * Free with g_free. NULL with errno: its directory is not there. */
char *berth_mounts_path(const char *path);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * fusermount — mounts and unmounts FUSE file systems as an ordinary user, by the set-uid program
 * fusermount3 of libfuse, which checks what the user may do.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Mount on the directory @path, as @source. Returns the descriptor of /dev/fuse that serves it, or
 * -1. Errors: BERTH_ERROR_NOT_FOUND, "mount.fusermount", "mount.device"; BERTH_ERROR_FAILED,
 * "mount.refused" with what fusermount3 says. */
int berth_fusermount_open(const char *path, const char *source, GError **error);

/* Unmount @path; with @lazy also while it is in use. Errors: as above; BERTH_ERROR_BUSY,
 * "umount.busy". */
bool berth_fusermount_close(const char *path, bool lazy, GError **error);

G_END_DECLS

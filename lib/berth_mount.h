/* SPDX-License-Identifier: MIT
 *
 * berth_mount — mounts of a distro's files on this host. A part of the public interface
 * (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

typedef struct {
    const char *name; /* NULL: the default distro */
    const char *path; /* a directory of this host */
    const char *user; /* whose access counts in the distro; NULL: the default user */
    bool start;       /* start the distro at an access when it does not run */
} BerthMount;

/* Mount the distro's files, by a process that serves them until they are unmounted, whether the
 * distro runs or not. Errors: "mount.*"; "session.*". */
bool berth_mount(Berth *berth, const BerthMount *mount, GError **error);

/* Unmount @path, also when that process has ended; with @lazy also while files are in use. Errors:
 * "umount.*"; "mount.fusermount". */
bool berth_umount(const char *path, bool lazy, GError **error);

G_END_DECLS

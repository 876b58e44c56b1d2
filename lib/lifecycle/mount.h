/* SPDX-License-Identifier: MIT
 *
 * mount — a distro's files on a directory of this host, served by a process of its own,
 * berth-mount, which ends when the directory is unmounted.
 *
 * That process outlives the distro. While the distro is stopped, what is under the directory fails
 * with ENOTCONN; once it runs again, the next access connects to it.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct {
    const char *name; /* NULL: the default distro */
    const char *path; /* a directory of this host */
    const char *user; /* whose access counts in the distro; NULL: the default user */
    bool start;       /* start the distro at an access when it does not run */
} BerthMountOptions;

/* Mount; returns once it can be used. Errors: "mount.*"; those of berth_reach_connect. */
bool berth_mount_start(Berth *berth, const BerthMountOptions *mount, GError **error);

/* Unmount @path, also when its process has ended; with @lazy also while it is in use. Errors:
 * "umount.*", "mount.fusermount". */
bool berth_mount_end(const char *path, bool lazy, GError **error);

/* Be the process for the distro @id: mount, report to @report_fd (taken), and serve until the
 * directory is unmounted. Returns only where it fails, with the exit status. */
int berth_mount_serve(Berth *berth, const char *id, const BerthMountOptions *mount, int report_fd);

G_END_DECLS

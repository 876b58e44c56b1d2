/* SPDX-License-Identifier: MIT
 *
 * repair — before a start, checks a disk whose superblock records errors, or that a guest could not
 * mount, with the host's e2fsck: in place, fixing only what it fixes without asking. A disk that
 * was merely not unmounted needs no check: the kernel replays its journal.
 */
#pragma once

#include "model/distro.h"

G_BEGIN_DECLS

/* @fd is the disk of @distro, opened by berth_hold_open for writing. @force: check it even if its
 * superblock is clean. *@ret_notice is a line for the user, or NULL if nothing was done; free with
 * g_free. Errors: BERTH_ERROR_INVALID, "disk.damaged" if e2fsck would have to ask;
 * BERTH_ERROR_NOT_FOUND, "disk.tool" without e2fsck; errno's, "disk.*". */
bool berth_manage_repair(const BerthDistro *distro, int fd, bool force, char **ret_notice,
                         GError **error);

G_END_DECLS

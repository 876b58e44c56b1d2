/* SPDX-License-Identifier: MIT
 *
 * repair — a disk that its own superblock calls damaged, or that a guest could not mount, is
 * checked before it is started again, by the host's e2fsck, in place and only with what that does
 * without asking. One that was merely not unmounted needs nothing: the kernel replays its journal.
 */
#pragma once

#include "model/distro.h"

G_BEGIN_DECLS

/* @fd is the disk of @distro, of berth_hold_open for writing. With @force it is checked whatever
 * its superblock says. *@ret_notice is a line for the user, or NULL when there was nothing to do;
 * free with g_free. Errors: BERTH_ERROR_INVALID, "disk.damaged" when e2fsck would have to ask;
 * BERTH_ERROR_NOT_FOUND, "disk.tool" without e2fsck; errno's, "disk.*". */
bool berth_manage_repair(const BerthDistro *distro, int fd, bool force, char **ret_notice,
                         GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * mount — the guest's end of `berth mount`: a process of its own, of the session's user, that
 * answers FUSE requests about the distro's files on its standard streams (lib/wire/mount.h).
 *
 * Everything is done as that user, so the guest's kernel checks each access. The user's own files
 * belong to @host_uid and @host_gid on the host, and what has these numbers in the guest to the
 * user's there; all others keep their numbers. Root's mount shows every number as it is.
 */
#pragma once

/* @argv is NULL-terminated: HOST_UID HOST_GID. Returns the exit status: 0 at the end of the input;
 * 1 when it breaks the protocol; 2 for other arguments. */
int mount_main(char **argv);

/* SPDX-License-Identifier: MIT
 *
 * carried — the ssh server that berth brings along, for distros without one: dropbear and OpenSSH's
 * sftp-server, with their loader and libraries.
 *
 * The host sends the archive once in the life of a machine; it is unpacked into a tmpfs of its own,
 * since /run may be mounted noexec. For each connection dropbear runs in a mount namespace of its
 * own whose root is that directory, with a passwd in which the user is root and the shell is
 * `session` (ssh_session.h). So nothing of the distro is read or changed: neither its passwd nor
 * its name service, and no ~/.ssh.
 */
#pragma once

#include "request.h"

#include <stdbool.h>

#define CARRIED         "/run/berth/ssh/server"
#define CARRIED_SESSION "session" /* the program in it that dropbear runs as a shell */

#define CARRIED_OFFERED "/etc/offered" /* in its root: the variables that the host offers, lines   \
                                        */

bool carried_is_there(void);

/* Unpack the archive on standard input, unless it is there already. 0, or -errno. */
int carried_unpack(void);

/* Serve one connection on standard input and output. The exit status, or -errno; *@ret_what is then
 * what failed. */
int carried_serve(const SshRequest *request, const char **ret_what);

/* Become the sftp server, as the current user. Returns only on failure, -errno. */
int carried_sftp(char *const *environment);

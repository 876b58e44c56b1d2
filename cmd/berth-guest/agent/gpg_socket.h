/* SPDX-License-Identifier: MIT
 *
 * gpg_socket — where the distro's gpg finds the host's gpg agent (ssh_agent.h).
 *
 * gpg knows no variable for that: it looks for S.gpg-agent in /run/user/UID/gnupg, where there is a
 * /run/user/UID, else in ~/.gnupg. A file with the path of another socket, in the form that gpg's
 * library of sockets reads, is as good there as a socket.
 */
#pragma once

#include <sys/types.h>

/* The path of the socket, offered to sessions that may use it. */
#define GPG_SOCKET_VARIABLE "BERTH_GPG_AGENT"

/* Run as the user @uid, whose home is @home: let gpg use @path. NULL: no more, if it was told so
 * before. What fails has no consequence but that gpg starts its own agent. */
void gpg_socket_update(uid_t uid, const char *home, const char *path);

/* SPDX-License-Identifier: MIT
 *
 * sshd — the distro's own OpenSSH server, for one connection on standard input and output.
 *
 * It needs no service, host key or configuration of the distro's: all that is berth's, in /run. PAM
 * is the distro's. A server without PAM is not used: it refuses accounts that have no password.
 */
#pragma once

#include "request.h"

#include <stdbool.h>

/* The path of the server; NULL: the distro has none that opens PAM sessions. */
const char *sshd_find(void);

/* Become the server @path. Returns only on failure, -errno; *@ret_what is then what failed. */
int sshd_exec(const char *path, const SshRequest *request, const char **ret_what);

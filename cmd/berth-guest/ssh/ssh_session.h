/* SPDX-License-Identifier: MIT
 *
 * ssh_session — what the carried server runs as its user's shell: it goes back to the distro's
 * mounts, becomes the user, and runs the shell, the command or the sftp server there.
 *
 * Without root's privileges it can only fail.
 */
#pragma once

#include <stdbool.h>

/* Whether this program was started as such a shell. */
bool ssh_session_is(const char *argv0);

/* Returns the exit status, only on failure. */
int ssh_session_run(char **argv);

/* SPDX-License-Identifier: MIT
 *
 * rescue_shell — a shell that needs nothing of the distro: the host's busybox, which it attaches as
 * a second archive to the initramfs of a machine that is started for a rescue.
 */
#pragma once

#define RESCUE_DIRECTORY "/run/rescue"
#define RESCUE_SHELL     RESCUE_DIRECTORY "/sh"

/* The program in the initramfs, to be opened before that is left. -1 when there is none. */
int rescue_open(void);

/* Put it, and links for all it can do, into RESCUE_DIRECTORY. @program is closed. 0, or -errno. */
int rescue_install(int program);

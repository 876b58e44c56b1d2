/* SPDX-License-Identifier: MIT
 *
 * rescue_shell — a shell that needs nothing of the distro: the host's busybox, which it attaches as
 * a second archive to the initramfs of a machine that is started for a rescue.
 */
#pragma once

#define RESCUE_DIRECTORY "/run/rescue"
#define RESCUE_SHELL     RESCUE_DIRECTORY "/sh"

/* Open the program in the initramfs; call before the switch of the root. -1: there is none. */
int rescue_open(void);

/* Install it with links for all its applets in RESCUE_DIRECTORY. Closes @program. 0, or -errno. */
int rescue_install(int program);

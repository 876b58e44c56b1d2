/* SPDX-License-Identifier: MIT
 *
 * systemd_fstab — keep systemd from waiting for the devices that /etc/fstab and /etc/crypttab name
 * and this machine cannot have (fstab.h), and from its emergency mode. The files stay as they are.
 *
 * A mount gets a unit of the same name in /run that does nothing: it goes before the one that
 * systemd's generator makes, and asks for no device. A swap's name is bound to its device, so there
 * the link by which swap.target wants it is masked; likewise for cryptsetup.target.
 */
#pragma once

/* The lines of /etc/fstab whose devices are in this machine, which startup.c writes: for the
 * service that remounts / and /usr by their lines. */
#define SYSTEMD_FSTAB_COPY "/run/berth/fstab"

/* Write all that below @root, a distro's /, whose run/ is there. 0, or the first -errno.
 */
int systemd_fstab_prepare(int root);

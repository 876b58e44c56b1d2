/* SPDX-License-Identifier: MIT
 *
 * systemd_fstab — keeps systemd from waiting for the absent devices of /etc/fstab and /etc/crypttab
 * (fstab.h), and so from emergency mode. Does not change the files.
 *
 * A mount is overridden by an empty unit of the same name in /run, which precedes that of systemd's
 * generator and requires no device. A swap unit is bound to its device by name, so the link by
 * which swap.target wants it is masked; likewise for cryptsetup.target.
 */
#pragma once

/* The lines of /etc/fstab whose devices exist, written by startup.c: for systemd-remount-fs, which
 * remounts / and /usr as fstab says. */
#define SYSTEMD_FSTAB_COPY "/run/berth/fstab"

/* Write all of it below @root, a distro's /, where run/ exists. 0, or the first -errno. */
int systemd_fstab_prepare(int root);

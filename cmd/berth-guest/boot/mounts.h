/* SPDX-License-Identifier: MIT
 *
 * mounts — the kernel's file systems, the distro's disk, and making that the root.
 *
 * Functions return 0, or -errno with what failed in *ret_what (a constant).
 */
#pragma once

/* /proc, /sys and /dev in the initramfs. */
int mounts_kernel(const char **ret_what);

/* The disk on /newroot. */
int mounts_disk(const char **ret_what);

/* The same for a rescue: only to be read, without its journal, where no more is possible. */
int mounts_damaged_disk(const char **ret_what);

/* Move what is mounted into the disk, make it the root, and mount there what every init expects to
 * find or makes do with: /run, /dev/pts, /dev/shm. */
int mounts_switch_root(const char **ret_what);

/* The same without a disk: the initramfs is the root. */
int mounts_stay(const char **ret_what);

/* cgroup v2 where nothing else will mount it. */
int mounts_cgroup(const char **ret_what);

/* Those systemd would make by a process each, as its units say: six times the start of a dynamic
 * program, all of them in the way of sysinit.target. It takes what is mounted as its own. Units the
 * distro's owner has changed or masked are left to it. */
void mounts_for_systemd(void);

/* At power-off: unmount everything below the root, and make the root read-only, so that the disk is
 * clean. Nothing may be running that writes. */
void mounts_leave(void);

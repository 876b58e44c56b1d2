/* SPDX-License-Identifier: MIT
 *
 * mounts — mounts the kernel's file systems and the distro's disk, and switches the root to it.
 *
 * Functions return 0, or -errno with the failed step in *ret_what (a constant).
 */
#pragma once

/* /proc, /sys and /dev in the initramfs. */
int mounts_kernel(const char **ret_what);

/* The disk on /newroot. */
int mounts_disk(const char **ret_what);

/* The same for a rescue; falls back to read-only without journal replay. */
int mounts_damaged_disk(const char **ret_what);

/* Move the mounts onto the disk, switch the root to it, and mount what every init expects or
 * accepts: /run, /dev/pts, /dev/shm. */
int mounts_switch_root(const char **ret_what);

/* The same without a disk: the initramfs stays the root. */
int mounts_stay(const char **ret_what);

/* Mount cgroup v2, for distros whose init does not. */
int mounts_cgroup(const char **ret_what);

/* Mount what systemd's units would mount, by a process each and all before sysinit.target; systemd
 * adopts existing mounts. Skips units that the distro's owner has changed or masked. */
void mounts_for_systemd(void);

/* At power-off: unmount everything below the root and remount the root read-only, so that the disk
 * is clean. No process may still write. */
void mounts_leave(void);

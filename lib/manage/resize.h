/* SPDX-License-Identifier: MIT
 *
 * resize — resizes a distro's disk, and returns its unused space to the host.
 *
 * Growing extends the file; the guest's kernel extends the file system, at the next start or at
 * once if the distro runs. The kernel does so in journaled steps, so it can be interrupted at any
 * point.
 *
 * Shrinking is done by resize2fs, which must not be interrupted. So it works on an unnamed copy (a
 * reflink if possible, otherwise as large as the disk's content), checked before and after, which
 * then replaces the disk atomically. A failure leaves the disk unchanged.
 *
 * The row's size is updated after the file's; list shows the file's.
 */
#pragma once

#include "claim.h"
#include "work.h"

G_BEGIN_DECLS

#define BERTH_DISK_SIZE_MIN (G_GUINT64_CONSTANT(64) << 20)

/* Round *@size up to whole blocks. Errors: BERTH_ERROR_INVALID, "resize.too-small". */
bool berth_manage_check_size(guint64 *size, GError **error);

/* The size of @distro's disk file. Errors: errno's, "resize.open.*". */
bool berth_manage_disk_size(const BerthDistro *distro, guint64 *ret_size, GError **error);

/* Extend the file, which no other process may have open. Updates @distro. Errors: errno's,
 * "resize.*". */
bool berth_manage_grow(BerthRegistry *registry, BerthDistro *distro, guint64 size, GError **error);

/* Update the row after QEMU has extended the file to @size bytes. */
bool berth_manage_record_size(BerthRegistry *registry, BerthDistro *distro, guint64 size,
                              GError **error);

/* Shrink the file system and the file; the caller has claimed the distro and found it stopped.
 * Errors: BERTH_ERROR_INVALID, "resize.too-small" with the minimum size; those of
 * disk/file/e2tools.h, disk/file/copy.h and disk/file/temp.h, "resize.*". */
bool berth_manage_shrink(const BerthLayout *layout, BerthRegistry *registry, BerthDistro *distro,
                         guint64 size, const BerthWatch *watch, GError **error);

/* Return the unused blocks of @distro's file system to the host; it must be stopped. *@ret_before
 * and *@ret_after are the bytes that the disk occupies. Errors: those of disk/ext4/ext4_space.h and
 * worker.h. */
bool berth_manage_compact(const BerthLayout *layout, const BerthDistro *distro,
                          const BerthWatch *watch, guint64 *ret_before, guint64 *ret_after,
                          GError **error);

G_END_DECLS

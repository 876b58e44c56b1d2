/* SPDX-License-Identifier: MIT
 *
 * resize — another size for a distro's disk, and its unused space back to the host.
 *
 * Growing makes the file longer; the guest's kernel makes the file system follow, at the next start
 * or at once where the distro runs. That is one journaled change after another, so it can be
 * interrupted at any point, and needs no tool here.
 *
 * Shrinking is resize2fs's work, which must not be interrupted. So it is done on a copy without a
 * name (shared blocks where the host can, else it takes the room of what the disk holds), checked
 * before and after, and the copy takes the disk's place in one step. Whatever fails before, the
 * disk is as it was.
 *
 * The row's size follows the file's; list shows the file's.
 */
#pragma once

#include "claim.h"
#include "work.h"

G_BEGIN_DECLS

#define BERTH_DISK_SIZE_MIN (G_GUINT64_CONSTANT(64) << 20)

/* The size @size asks for, in whole blocks. Errors: BERTH_ERROR_INVALID, "resize.too-small". */
bool berth_manage_check_size(guint64 *size, GError **error);

/* The size of @distro's disk as a file. Errors: errno's, "resize.open.*". */
bool berth_manage_disk_size(const BerthDistro *distro, guint64 *ret_size, GError **error);

/* Make the file longer; nobody else has it open. @distro is brought up to date. Errors: errno's,
 * "resize.*". */
bool berth_manage_grow(BerthRegistry *registry, BerthDistro *distro, guint64 size, GError **error);

/* Have the row say what the file is: QEMU has made it @size bytes long. */
bool berth_manage_record_size(BerthRegistry *registry, BerthDistro *distro, guint64 size,
                              GError **error);

/* Make the file system and the file smaller; the caller has claimed the distro and found it
 * stopped. Errors: BERTH_ERROR_INVALID, "resize.too-small" with the least size; those of
 * disk/file/e2tools.h, disk/file/copy.h and disk/file/temp.h, "resize.*". */
bool berth_manage_shrink(const BerthLayout *layout, BerthRegistry *registry, BerthDistro *distro,
                         guint64 size, const BerthWatch *watch, GError **error);

/* Give what @distro's file system does not use back to the host; it must be stopped. The space it
 * takes before and after goes to *@ret_before and *@ret_after. Errors: those of
 * disk/ext4/ext4_space.h and worker.h.
 */
bool berth_manage_compact(const BerthLayout *layout, const BerthDistro *distro,
                          const BerthWatch *watch, guint64 *ret_before, guint64 *ret_after,
                          GError **error);

G_END_DECLS

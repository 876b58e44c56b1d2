/* SPDX-License-Identifier: MIT
 *
 * identity — what the saved memory of a guest must find unchanged to be loaded: the contents of its
 * disk, QEMU, the machine, berth's kernel, and the host's processor.
 *
 * The disk's contents are known by its file: inode, size, times of the last write and of the last
 * change to its metadata, and superblock. So a write by any program changes the identity, and so
 * does a copy. What only reads the disk does not. berth_park_identity_settle makes the next write
 * visible.
 *
 * An identity is compared with others of the same host only.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

typedef enum {
    BERTH_PARK_DISK,
    BERTH_PARK_QEMU,
    BERTH_PARK_MACHINE,
    BERTH_PARK_KERNEL,
    BERTH_PARK_PROCESSOR,
    BERTH_PARK_PARTS,
} BerthParkPart;

#define BERTH_PARK_DIGEST_SIZE 32 /* bytes */

typedef struct {
    guint8 digests[BERTH_PARK_PARTS][BERTH_PARK_DIGEST_SIZE];
} BerthParkIdentity;

/* Note in @machine the digests of its kernel and initramfs, so that they are read once for each
 * file, and not for each identity. @cache_dir keeps them. Blocking; an identity that is read
 * without is the same. */
void berth_park_identity_prepare(BerthMachine *machine, const char *cache_dir);

/* The identity now of @machine, whose accelerator is settled. Errors: errno's, "park.identity.*";
 * those of vmm/qemu_args.h. */
bool berth_park_identity_read(const BerthMachine *machine, BerthParkIdentity *ret_identity,
                              GError **error);

/* Before the identity of a disk that nobody writes any more is read: write @disk to the medium, and
 * wait until a further write would have another time. Blocking. Errors: errno's, "park.disk.*". */
bool berth_park_identity_settle(const char *disk, GError **error);

/* What differs first, as in "its disk has changed"; NULL if nothing does. Static. */
const char *berth_park_identity_difference(const BerthParkIdentity *saved,
                                           const BerthParkIdentity *now);

/* Whether what has the identity @saved still fits @machine. Errors: BERTH_ERROR_INVALID,
 * "park.changed"; those of berth_park_identity_read. */
bool berth_park_identity_check(const BerthParkIdentity *saved, const BerthMachine *machine,
                               GError **error);

G_END_DECLS

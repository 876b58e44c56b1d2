/* SPDX-License-Identifier: MIT
 *
 * park_file — the memory of a suspended guest in a file beside its disk, with the state of its
 * devices and the identity of what both fit (identity.h).
 *
 *     header (4096 bytes): "berthprk", version, sizes, identity, checksums
 *     data:    the pages of memory that are not zero, in runs
 *     state:   of the devices (vmm/device_state.h)
 *     life:    what the keeper knows of the guest
 *     runs:    of each its place in memory, length and checksum
 *
 * The file appears under its name complete, and on the medium, or not at all. Whoever loads it
 * removes it before the guest continues: memory and disk fit each other only once.
 *
 * Blocking: for a thread of its own where a loop must go on.
 */
#pragma once

#include "identity.h"

G_BEGIN_DECLS

typedef struct {
    BerthParkIdentity identity;
    bool with_memory;    /* the state contains the memory: device_state.h */
    bool is_elsewhere;   /* the file has all but the memory, which another process hands over */
    bool unsynced;       /* when it is written: not to the medium, for what is loaded at once */
    guint64 memory_size; /* bytes */
    BerthMachineSize machine; /* of the machine that it was saved with */
    GBytes *state;
    GBytes *life;
} BerthParked;

/* Drops the references. */
void berth_parked_clear(BerthParked *parked);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthParked, berth_parked_clear)

/* Where the memory of the guest on @disk is parked. Free with g_free. */
char *berth_park_path(const char *disk);

/* Whether a guest on @disk is parked. */
bool berth_park_exists(const char *disk);

/* Remove what is parked of the guest on @disk, also what a killed keeper left unfinished. False
 * with errno; not if there is nothing. */
bool berth_park_remove(const char *disk);

/* How far the writing is; begins at 0. Whoever changes BERTH_PARK_WRITING to CANCELLED (atomically,
 * from any thread) may be sure that no file appears; it can be too late for that. */
typedef enum {
    BERTH_PARK_WRITING,
    BERTH_PARK_CANCELLED,
    BERTH_PARK_APPEARS,
} BerthParkProgress;

/* Park a guest on @disk whose memory is the file @memory. *@ret_size is that of the file, bytes. On
 * failure nothing is left. Errors: errno's, "park.write.*"; BERTH_ERROR_CANCELLED,
 * "park.cancelled". */
bool berth_park_write(const char *disk, const BerthParked *parked, int memory, gint *progress,
                      guint64 *ret_size, GError **error);

/* Open what is parked of the guest on @disk; *@ret_parked has all but the memory. -1 on error.
 * Errors: BERTH_ERROR_NOT_FOUND, "park.read.missing"; BERTH_ERROR_INVALID, "park.damaged",
 * "park.version"; errno's, "park.read.*". */
int berth_park_open(const char *disk, BerthParked *ret_parked, GError **error);

/* The same of the file @fd, called @path in messages. */
bool berth_park_read(int fd, const char *path, BerthParked *ret_parked, GError **error);

/* The size of the machine that the guest on @disk was parked with. False if nothing is parked
 * there, or if the file does not say it. */
bool berth_park_read_size(const char *disk, BerthMachineSize *ret_size);

/* The parked file of the guest on @disk fits @identity from now on. Errors: errno's,
 * "park.write.*"; those of berth_park_open. */
bool berth_park_bind(const char *disk, const BerthParkIdentity *identity, GError **error);

/* Load the memory from the parked file @fd, whose header was read, into the empty file @memory.
 * Errors: those of berth_park_read; BERTH_ERROR_NOT_FOUND, "park.elsewhere": it is not in there. */
bool berth_park_load(int fd, const char *path, int memory, GError **error);

/* Whether the guest that is parked on the disk of @machine, whose accelerator is settled, can go on
 * as this machine. The memory is not looked at. Errors: those of berth_park_open and of
 * berth_park_identity_check. */
bool berth_park_check(const BerthMachine *machine, GError **error);

G_END_DECLS

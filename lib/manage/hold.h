/* SPDX-License-Identifier: MIT
 *
 * hold — opens a distro's disk with its lock; finds the process that holds it.
 *
 * The lock is on the disk's own file, so it works whatever registry, runtime directory or hard link
 * a command uses. It is an open file description lock (F_OFD_SETLK): it lasts until the last
 * duplicate of the descriptor is closed, also by SIGKILL, so it is never stale. Every process that
 * works on a disk opens or inherits such a descriptor:
 *
 *     a command, berth-image, e2fsck    all bytes, exclusive where they write, else shared
 *     berth-keeper                      byte 0, shared, from before QEMU's start to its own end
 *     qemu-system-*                     some of bytes 100 to 299, by its own file.locking
 *
 * An exclusive lock conflicts with all of them; a reader also tests for a foreign lock of either
 * kind. Locks of QEMUs that berth did not start count too. On NFS they work between hosts as far as
 * its locks do (version 4, or 3 with lockd); a holder on another host has no process to name.
 *
 * Lock order: after all of claim.h's. Blocking for at most HOLD_TIMEOUT_MSEC, for a holder that is
 * just ending.
 */
#pragma once

#include "model/distro.h"

#include <sys/stat.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_HOLD_READ,
    BERTH_HOLD_WRITE,
    BERTH_HOLD_START, /* as WRITE; of a start, which decides what becomes of a parked memory */
} BerthHold;

/* Whether the memory of @distro is not parked beside its disk: it would fit a changed disk no more.
 * Errors: BERTH_ERROR_BUSY, "instance.parked". */
bool berth_hold_check_unparked(const BerthDistro *distro, GError **error);

/* Open and lock the disk of @distro for @hold; close-on-exec. -1 on error. Errors: for WRITE those
 * of berth_hold_check_unparked;
 * BERTH_ERROR_BUSY, "instance.running" if its own keeper holds the disk, "disk.busy" if another
 * process does, "distro.changed" if the file at the disk's path was just replaced; errno's,
 * "<step>.*". */
int berth_hold_open(const BerthDistro *distro, BerthHold hold, const char *step, GError **error);

/* A running distro whose disk is copied: its keeper has the lock. The functions block. */
typedef struct {
    /* Have nothing write the disk. Errors: those of berth_request_hold. */
    bool (*begin)(gpointer user_data, GError **error);
    /* Between both: save the memory too, beside the copy at @disk, for the machine of the distro
     * @copy, which is borrowed until `saved`. NULL if it is not wanted. */
    bool (*save)(const BerthDistro *copy, const char *disk, gpointer user_data, GError **error);
    /* After the release, and once the copy is complete: wait until its memory is. */
    bool (*saved)(gpointer user_data, GError **error);
    /* It may be written again. False with an error if it may have been written before. */
    bool (*release)(gpointer user_data, GError **error);
    gpointer user_data;
} BerthDiskHold;

/* Open the disk of @distro for a copy of it: as berth_hold_open for BERTH_HOLD_READ; or, with
 * @hold, after its begin. *@ret_before is for berth_hold_end_copy. */
int berth_hold_begin_copy(const BerthDistro *distro, const BerthDiskHold *hold, const char *step,
                          struct stat *ret_before, GError **error);

/* The copy of @fd, opened so, is complete: release @hold, if there is one. Errors: its; and
 * BERTH_ERROR_BUSY, "disk.written", if a program that has no lock has written the disk. */
bool berth_hold_end_copy(int fd, const BerthDistro *distro, const BerthDiskHold *hold,
                         const struct stat *before, GError **error);

/* Call save or saved of @hold, which may be NULL or without. */
bool berth_hold_save(const BerthDiskHold *hold, const BerthDistro *copy, const char *disk,
                     GError **error);
bool berth_hold_saved(const BerthDiskHold *hold, GError **error);

/* Replace *@fd, opened with BERTH_HOLD_WRITE, by a read-only one with a keeper's lock, without
 * unlocking in between. On failure *@fd is unchanged. Errors: errno's, "disk.lock.*". */
bool berth_hold_pass(int *fd, const BerthDistro *distro, GError **error);

/* A process that has a disk open. */
typedef struct {
    pid_t pid;
    int pidfd;       /* opened before the rest was read, against pid reuse */
    char *program;   /* printable */
    char *directory; /* a keeper's runtime directory, else NULL */
    bool at_home;    /* @directory is still the one it was started in */
} BerthDiskUser;

void berth_disk_user_free(BerthDiskUser *user);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthDiskUser, berth_disk_user_free)

/* Find the process that holds a lock on @disk, preferring a keeper. NULL if it is not locked, or
 * the process is not visible. Reads /proc only if it is locked. */
BerthDiskUser *berth_hold_find(const char *disk);

/* Whether any process holds a lock on @disk. Reads nothing of /proc, so it is cheap. */
bool berth_hold_is_locked(const char *disk);

/* Whether @user is the keeper of distro @id. */
bool berth_disk_user_keeps(const BerthDiskUser *user, const char *id);

G_END_DECLS

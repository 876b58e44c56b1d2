/* SPDX-License-Identifier: MIT
 *
 * berth_snapshot — earlier disks of a distro. A part of the public interface (berth.h).
 *
 * A snapshot is a copy of the disk at one time. It shares the disk's blocks where the host's file
 * system can, and is a sparse copy elsewhere. It moves, is renamed and is unregistered with its
 * distro; clones and exports are without.
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

typedef struct {
    BerthWorkFunc progress;
    /* Called before a copy that cannot share blocks, with a line that says what it costs. */
    void (*notice)(const char *line, gpointer user_data);
    gpointer user_data;
    bool memory; /* a snapshot of a distro that runs or is suspended also has its memory, from which
                    the first command after a restore continues; false: the disk alone */
} BerthSnapshotFuncs;

/* Take a snapshot of the distro @name, called @tag, or by the local time if NULL. A running distro
 * stands still meanwhile, and its users wait. *@ret_tag: free with g_free. Errors:
 * "distro.not-found", "distro.busy"; "snapshot.tag", "snapshot.exists", "snapshot.no-space",
 * "disk.written", "snapshot.*"; "suspend.busy", "suspend.*". */
bool berth_snapshot_take(Berth *berth, const char *name, const char *tag,
                         const BerthSnapshotFuncs *funcs, char **ret_tag, GError **error);

/* Remove the snapshots @tags of @name, which may run; all or none. Errors: also
 * "snapshot.not-found". */
bool berth_snapshot_remove(Berth *berth, const char *name, const char *const *tags, GError **error);

typedef struct {
    char *distro; /* name */
    char *tag;
    gint64 taken_usec;
    bool automatic;  /* berth took it unasked: a checkpoint, or what a restore replaced,
                        which the next restore replaces */
    bool checkpoint; /* taken as the setting of that name asks for */
    bool missing;    /* its file is gone */
    guint64 size;    /* of the disk, as the guest saw it */
    guint64 used;    /* on the host, including blocks that it shares */
    guint64 memory;  /* bytes on the host of the memory that it has, too; 0: none */
} BerthSnapshotInfo;

void berth_snapshot_info_free(BerthSnapshotInfo *info);

/* The snapshots of @name (NULL: of all distros), BerthSnapshotInfo *, by distro, oldest first; free
 * with g_ptr_array_unref. Errors: "distro.not-found". */
GPtrArray *berth_snapshot_list(Berth *berth, const char *name, GError **error);

typedef struct {
    char *tag;
    gint64 taken_usec;
    bool unchanged; /* the disk had not changed since the snapshot */
    char *kept;     /* the tag of the snapshot that has what was replaced; or NULL */
    bool memory;    /* the next command continues from the memory of the snapshot */
} BerthRestoration;

void berth_restoration_clear(BerthRestoration *restoration);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthRestoration, berth_restoration_clear)

/* Give the distro @name the disk of its snapshot @tag, or of the last one if NULL that no restore
 * made. The disk as it was becomes the snapshot "before-restore". The distro must be stopped; with
 * @terminate it is powered off first. Errors: "distro.not-found", "distro.busy",
 * "instance.running"; "snapshot.not-found", "snapshot.none", "restore.no-space", "restore.*". */
bool berth_snapshot_restore(Berth *berth, const char *name, const char *tag, bool terminate,
                            const BerthSnapshotFuncs *funcs, BerthRestoration *ret_restoration,
                            GError **error);

typedef struct {
    const char *change; /* "added", "deleted" or "changed" */
    const char *type;   /* "file", "directory", "symlink", "char-device", "block-device" or "fifo";
                           of the newer file */
    const char *path;   /* absolute in the distro; any bytes */
    /* What differs of a changed file, NULL-terminated: "type" alone, or some of "content",
     * "target", "device", "owner", "mode" and "attributes". */
    const char *const *aspects;
} BerthDifferenceInfo;

typedef struct {
    BerthWorkFunc progress;
    /* Called for each difference, by path, a directory before its content. The strings are valid
     * during the call. False: cancel. */
    bool (*difference)(const BerthDifferenceInfo *difference, gpointer user_data);
    gpointer user_data;
} BerthDiffFuncs;

typedef struct {
    char *old_tag;
    gint64 old_taken_usec;
    char *new_tag;         /* NULL: the distro's disk */
    gint64 new_taken_usec; /* 0: the same */
} BerthDiffResult;

void berth_diff_result_clear(BerthDiffResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthDiffResult, berth_diff_result_clear)

/* Find the files of @name that differ between its snapshots @old_tag (NULL: the last one that no
 * restore made) and @new_tag (NULL: its disk; it must be stopped). Times are not compared. Errors:
 * "distro.not-found", "distro.busy", "instance.running"; "snapshot.not-found", "snapshot.none",
 * "diff.*", "export.read.*". */
bool berth_snapshot_diff(Berth *berth, const char *name, const char *old_tag, const char *new_tag,
                         const BerthDiffFuncs *funcs, BerthDiffResult *ret_result, GError **error);

G_END_DECLS

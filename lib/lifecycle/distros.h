/* SPDX-License-Identifier: MIT
 *
 * distros — distros made, changed and removed. Each verb claims what it works on and, where it
 * must, finds it stopped: manage/claim.h has the order.
 *
 * Errors beside those of each verb: "distro.*"; "distro.busy" when another command works on it.
 */
#pragma once

#include "handle.h"

#include "manage/export.h"
#include "manage/import.h"
#include "manage/work.h"

G_BEGIN_DECLS

typedef struct {
    const char *name;     /* of the distro */
    int fd;               /* the tar archive */
    const char *origin;   /* what to call it in messages */
    const char *path;     /* its absolute path, or NULL */
    guint64 size;         /* of the disk, as the guest sees it; 0: the setting */
    guint64 inodes;       /* how many files it is to have room for; 0: by its size */
    bool strip_root;      /* the root lies below the archive's one directory */
    bool no_user;         /* make no account for this user in it (root never gets one) */
    bool oobe;            /* let the distro's own first-run command make it */
    const char *location; /* absolute: the directory for the disk; NULL: with berth's data */
    const char *cloud;    /* path of the user-data for its cloud-init; NULL: that does not run */
    BerthImportFunc progress;
    void (*notice)(const char *text, gpointer user_data); /* a line for the user */
    gpointer user_data;
} BerthImportOptions;

/* Make a distro of an archive. A failure leaves nothing.
 * Errors: "name.invalid", "registry.exists", "import.*", "user-data.*", "config.*". */
bool berth_distros_import(Berth *berth, const BerthImportOptions *import,
                          BerthImportReport *ret_report, GError **error);

/* Make a distro of the ext4 image @import->path where it lies. Only name, path, no_user, cloud and
 * notice are used. Errors: "name.invalid", "registry.exists", "import.in-place.*", "user-data.*".
 */
bool berth_distros_import_in_place(Berth *berth, const BerthImportOptions *import, GError **error);

/* Write the files or the disk of @name, which is stopped, and cannot be started meanwhile. Errors:
 * "instance.running", "export.*", "usage.value". */
bool berth_distros_export(Berth *berth, const char *name, const BerthExportRequest *request,
                          BerthExportFunc progress, gpointer user_data, char **ret_notice,
                          GError **error);

/* Stop @name at once and delete it with its disk. */
bool berth_distros_unregister(Berth *berth, const char *name, GError **error);

/* Make the distro @name of the stopped distro @source.
 * Errors: "name.invalid", "registry.exists", "instance.running", "clone.*". */
bool berth_distros_clone(Berth *berth, const char *source, const char *name, BerthWorkFunc progress,
                         gpointer user_data, GError **error);

/* Errors: "name.invalid", "registry.exists". */
bool berth_distros_rename(Berth *berth, const char *name, const char *new_name, GError **error);

/* Move the disk of the stopped distro @name to @directory, or with NULL back to the data directory.
 * Errors: "instance.running", "move.*". */
bool berth_distros_move(Berth *berth, const char *name, const char *directory,
                        BerthWorkFunc progress, gpointer user_data, GError **error);

/* Make the disk of @name @size bytes; a running distro grows at once, and only a stopped one can be
 * made smaller. Errors: "instance.running", "resize.*". */
bool berth_distros_resize(Berth *berth, const char *name, guint64 size, BerthWorkFunc progress,
                          gpointer user_data, GError **error);

/* Give the space @name does not use back to the host: the bytes its disk takes before and after.
 * Errors: "instance.running", "compact.*". */
bool berth_distros_compact(Berth *berth, const char *name, BerthWorkFunc progress,
                           gpointer user_data, guint64 *ret_before, guint64 *ret_after,
                           GError **error);

G_END_DECLS

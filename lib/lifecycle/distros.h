/* SPDX-License-Identifier: MIT
 *
 * distros — creates, changes and removes distros. Each verb claims its distros and, where
 * necessary, checks that they are stopped; manage/claim.h defines the order.
 *
 * Errors beside those of each verb: "distro.*"; "distro.busy" if another command works on the
 * distro.
 */
#pragma once

#include "handle.h"

#include "manage/export.h"
#include "manage/import.h"
#include "manage/work.h"

G_BEGIN_DECLS

typedef struct {
    const char *name;              /* of the distro */
    int fd;                        /* the tar archive */
    const BerthDownload *download; /* instead: what is downloaded meanwhile; NULL: nothing */
    const char *origin;            /* the archive's name in messages */
    const char *path;              /* its absolute path, or NULL */
    guint64 size;                  /* of the disk, as the guest sees it; 0: as set in berth.conf */
    guint64 inodes;                /* number of files to make room for; 0: derived from the size */
    bool strip_root;      /* the root file system is below the archive's one top directory */
    const char *image;    /* digits of SHA-256: the container image that the archive must be (its
                             manifest or index); NULL: any archive */
    const char *user;     /* of the account to create; NULL: this user's name */
    bool no_user;         /* create no account for this user (never created for root) */
    bool oobe;            /* the distro's own first-run command creates the account */
    const char *location; /* absolute: the directory for the disk; NULL: berth's data directory */
    const char *cloud;    /* path of user-data for cloud-init; NULL: cloud-init does not run */
    BerthImportFunc progress;
    void (*notice)(const char *text, gpointer user_data); /* a line for the user */
    gpointer user_data;
} BerthImportOptions;

/* Make a distro from an archive. A failed import leaves nothing. Errors: "name.invalid",
 * "registry.exists", "import.*", "fetch.*", "user-data.*", "config.*". */
bool berth_distros_import(Berth *berth, const BerthImportOptions *import,
                          BerthImportReport *ret_report, GError **error);

/* Make a distro from the ext4 image @import->path in place. Only name, path, no_user, cloud and
 * notice are used. Errors: "name.invalid", "registry.exists", "import.in-place.*",
 * "user-data.*". */
bool berth_distros_import_in_place(Berth *berth, const BerthImportOptions *import, GError **error);

/* Export the files or the disk of the stopped distro @name, which cannot be started meanwhile.
 * Errors: "instance.running", "export.*", "usage.value". */
bool berth_distros_export(Berth *berth, const char *name, const BerthExportRequest *request,
                          BerthExportFunc progress, gpointer user_data, char **ret_notice,
                          GError **error);

/* Stop the claimed @distro by force and remove it; the end of the claim deletes its files. */
bool berth_distros_discard(Berth *berth, BerthClaim *claim, const BerthDistro *distro,
                           GError **error);

/* Stop @name by force and delete it with its disk. */
bool berth_distros_unregister(Berth *berth, const char *name, GError **error);

/* Clone the distro @source as @name; one that runs stands still meanwhile. With @live it must have
 * a memory, and the clone is parked with that. Errors: "name.invalid", "registry.exists",
 * "suspend.*", "clone.*", "park.*". */
bool berth_distros_clone(Berth *berth, const char *source, const char *name, bool live,
                         BerthWorkFunc progress, gpointer user_data, GError **error);

/* Errors: "name.invalid", "registry.exists". */
bool berth_distros_rename(Berth *berth, const char *name, const char *new_name, GError **error);

/* Move the disk of the stopped distro @name to @directory, or back to the data directory if NULL.
 * Errors: "instance.running", "move.*". */
bool berth_distros_move(Berth *berth, const char *name, const char *directory,
                        BerthWorkFunc progress, gpointer user_data, GError **error);

/* Resize the disk of @name to @size bytes; a running distro grows at once, and only a stopped one
 * can shrink. Errors: "instance.running", "resize.*". */
bool berth_distros_resize(Berth *berth, const char *name, guint64 size, BerthWorkFunc progress,
                          gpointer user_data, GError **error);

/* Return the unused blocks of the stopped distro @name to the host. Outputs: the host's bytes that
 * the disk occupies before and after. Errors: "instance.running", "compact.*". */
bool berth_distros_compact(Berth *berth, const char *name, BerthWorkFunc progress,
                           gpointer user_data, guint64 *ret_before, guint64 *ret_after,
                           GError **error);

G_END_DECLS

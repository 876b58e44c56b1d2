/* SPDX-License-Identifier: MIT
 *
 * berth_archive — distros made from archives and images, and archives made from distros. A part
 * of the public interface (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

/* Progress of an import in bytes of the archive; @bytes_total is 0 if unknown. Return false to
 * cancel. */
typedef bool (*BerthImportFunc)(guint64 bytes_done, guint64 bytes_total, guint64 entries,
                                gpointer user_data);

typedef struct {
    const char *name;     /* of the distro */
    int fd;               /* the tar archive */
    const char *origin;   /* the archive's name in messages */
    const char *path;     /* its absolute path, or NULL */
    guint64 size;         /* of the disk, as the guest sees it; 0: as set in berth.conf */
    guint64 inodes;       /* number of files to make room for; 0: derived from the size */
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
} BerthImport;

typedef struct {
    guint64 entries;   /* of the archive */
    guint64 bytes;     /* of the compressed archive */
    guint64 disk_used; /* by the disk, on the host */
    bool from_cache;   /* the image was cached, and the archive not read */
} BerthImported;

/* Make a distro from an archive. A failed import leaves nothing. The first distro becomes the
 * default. Errors: "name.invalid", "registry.exists", "import.*", "user-data.*", "config.*". */
bool berth_import(Berth *berth, const BerthImport *import, BerthImported *ret_imported,
                  GError **error);

typedef struct {
    const char *path;   /* the file to create, visible only when complete; NULL: write to @fd */
    int fd;             /* borrowed */
    const char *format; /* "tar", "tar.gz", "tar.xz", "tar.zst" or "ext4"; NULL: by the suffix of
                           the path */
    bool replace;       /* replace an existing file */
} BerthExport;

/* Progress of an export; the total is an estimate. Return false to cancel. */
typedef bool (*BerthExportFunc)(guint64 bytes_done, guint64 bytes_total, guint64 entries,
                                gpointer user_data);

/* Export the files or the disk of the stopped distro @name, which cannot be started meanwhile. A
 * failed export leaves no file, and keeps the one to be replaced. *ret_notice is a line for the
 * user, or NULL; free with g_free. Errors: "distro.not-found", "distro.busy", "instance.running",
 * "export.*", "usage.value". */
bool berth_export(Berth *berth, const char *name, const BerthExport *export,
                  BerthExportFunc progress, gpointer user_data, char **ret_notice, GError **error);

/* Make a distro from the ext4 image at the absolute path @import->path, in place: it is not copied,
 * and unregistering keeps it. Only name, path, no_user, cloud and notice are used. Errors:
 * "name.invalid", "registry.exists", "distro.busy", "import.in-place.*", "user-data.*". */
bool berth_import_in_place(Berth *berth, const BerthImport *import, GError **error);

G_END_DECLS

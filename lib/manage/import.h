/* SPDX-License-Identifier: MIT
 *
 * import — a root file system's archive becomes a registered distro.
 *
 * The name is claimed before the first byte is read, the row is inserted when the disk is whole. A
 * failed, cancelled or killed import leaves nothing: no row, no directory (lib/manage/claim.h).
 */
#pragma once

#include "cache.h"
#include "store/layout.h"
#include "store/registry.h"

G_BEGIN_DECLS

typedef struct {
    const char *name;    /* of the distro */
    int fd;              /* the archive, read from where it stands to its end */
    const char *origin;  /* what to call the archive in messages */
    const char *path;    /* its absolute path, or NULL */
    guint64 disk_size;   /* apparent size of the disk, bytes */
    guint64 inodes;      /* how many files the disk is to have room for; 0: by its size */
    bool strip_root;     /* the root lies below the archive's one directory (disk/tree/strip.h) */
    const char *account; /* of the user it is to have, or NULL (model/distro.h) */
    guint account_uid;
    bool oobe;
    const char *location; /* absolute: a directory to hold the disk; made when it is not there, but
                             not what is above it. NULL: the distro's own */
    GBytes *cloud;        /* user-data for its cloud-init (cloud_seed.h), or NULL; borrowed */
    const BerthCache *cache; /* or NULL */
} BerthImportRequest;

/* @bytes_total is 0 when it is not known; the bytes are the archive's. False cancels. */
typedef bool (*BerthImportFunc)(guint64 bytes_done, guint64 bytes_total, guint64 entries,
                                gpointer user_data);

/* How the caller is told. Functions may be NULL. */
typedef struct {
    BerthImportFunc progress;
    void (*notice)(const char *text, gpointer user_data); /* a line for the user; each comes once */
    gpointer user_data;
} BerthImportWatch;

typedef struct {
    guint64 entries;   /* of the archive */
    guint64 bytes;     /* of it, as it is compressed */
    guint64 disk_used; /* on the host */
    bool from_cache;   /* the archive was not read: its image was there */
} BerthImportReport;

/* Errors: BERTH_ERROR_INVALID, "name.invalid"; BERTH_ERROR_EXISTS, "registry.exists";
 * BERTH_ERROR_CANCELLED, "import.cancelled"; errno's, "import.location.*"; those of the registry,
 * of disk/image/image.h, disk/file/temp.h, cloud_seed.h and worker.h. */
bool berth_manage_import(const BerthLayout *layout, BerthRegistry *registry,
                         const BerthImportRequest *request, const BerthImportWatch *watch,
                         BerthImportReport *ret_report, GError **error);

G_END_DECLS

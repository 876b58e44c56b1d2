/* SPDX-License-Identifier: MIT
 *
 * import — makes a registered distro from an archive of a root file system.
 *
 * Claims the name before reading the archive, and inserts the row when the disk is complete. A
 * failed, cancelled or killed import leaves nothing: no row, no directory (lib/manage/claim.h).
 * A download is read while it arrives (feed.h), and nothing of it is visible before its digest
 * proved right.
 */
#pragma once

#include "cache.h"
#include "download.h"
#include "store/layout.h"
#include "store/registry.h"

G_BEGIN_DECLS

typedef struct {
    const char *name;              /* of the distro */
    int fd;                        /* the archive, read from its current offset to its end */
    const BerthDownload *download; /* instead of @fd and @path: what is downloaded meanwhile; NULL:
                                      nothing */
    const char *origin;            /* the archive's name in messages */
    const char *path;              /* its absolute path, or NULL */
    guint64 disk_size;             /* apparent size of the disk, bytes */
    guint64 inodes;                /* number of files to make room for; 0: derived from the size */
    bool strip_root;               /* the root file system is below the archive's one top directory
                                      (disk/tree/strip.h) */
    const char *image;   /* digits of SHA-256: the container image that the archive must be; NULL:
                            any archive */
    const char *account; /* the user account to create, or NULL (model/distro.h) */
    guint account_uid;
    bool oobe;
    const char *location;    /* absolute: the directory for the disk, created if only its last
                                component is missing. NULL: the distro's own */
    GBytes *cloud;           /* user-data for cloud-init (cloud_seed.h), or NULL; borrowed */
    const BerthCache *cache; /* or NULL */
} BerthImportRequest;

/* Bytes of the archive; @bytes_total is 0 if unknown. Return false to cancel. */
typedef bool (*BerthImportFunc)(guint64 bytes_done, guint64 bytes_total, guint64 entries,
                                gpointer user_data);

/* The caller's callbacks; each may be NULL. */
typedef struct {
    BerthImportFunc progress;
    void (*notice)(const char *text, gpointer user_data); /* a line for the user, once each */
    gpointer user_data;
} BerthImportWatch;

typedef struct {
    guint64 entries;   /* of the archive */
    guint64 bytes;     /* of the compressed archive */
    guint64 disk_used; /* on the host */
    bool from_cache;   /* the image was cached, and the archive not read */
} BerthImportReport;

/* Import. Errors: BERTH_ERROR_INVALID, "name.invalid"; BERTH_ERROR_EXISTS, "registry.exists";
 * BERTH_ERROR_CANCELLED, "import.cancelled"; errno's, "import.location.*"; those of the registry,
 * of disk/image/image.h, disk/file/temp.h, cloud_seed.h, download.h, feed.h and worker.h. */
bool berth_manage_import(const BerthLayout *layout, BerthRegistry *registry,
                         const BerthImportRequest *request, const BerthImportWatch *watch,
                         BerthImportReport *ret_report, GError **error);

G_END_DECLS

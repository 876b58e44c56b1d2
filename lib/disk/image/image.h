/* SPDX-License-Identifier: MIT
 *
 * image — makes a distro's disk: a sparse ext4 image from the tar of a root file system.
 *
 *     archive -> tar (entries) -> entry (normalised) -> tree -> ext4
 *
 * A container image is several tars, unpacked over each other (archive.h).
 *
 * Needs no privileges, mounts nothing and opens no path, so it runs confined (cmd/berth-image).
 * Blocking; shares no state between threads. The caller creates the file and names it on success
 * (temp.h), so a failed, cancelled or killed import leaves nothing.
 *
 * Errors, all under "import.": create.* (the image's size), open.* and read.* (the archive),
 * entry.* and tree.* (what is in it), unpack.* (writing), not-a-rootfs, cancelled.
 */
#pragma once

#include "base/progress.h"
#include "disk/layers/layers.h"
#include "disk/tree/entry.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_IMAGE_SIZE_DEFAULT (G_GUINT64_CONSTANT(1) << 40)

typedef struct {
    const char *name; /* the archive's name in messages */
    guint64 size;     /* apparent bytes, at least 64 MiB; halved, down to 64 GiB, where the host
                         cannot have a file so large */
    bool strip_root;  /* the root file system is below the archive's one top directory: strip.h */
    guint64 inodes;   /* number of files to make room for; 0: derived from the size */
    const char *architecture; /* of a container image, OCI's name; NULL: the host's */
    const char *digest;       /* digits, of the container image that the archive must be; NULL: any
                                 archive */
    int spool;                /* an empty file, open for both, for container images that are
                                 compressed or come through a pipe; -1: there is none */
    bool growing; /* the archive is a container image that is still being written: archive.h */
} BerthImageOptions;

typedef struct {
    guint64 size; /* of the image: less than asked for where the host's file system has a limit */
    guint64 entries;
    guint64 bytes; /* of the compressed input */
    BerthDropped dropped;
    GPtrArray *warnings;      /* char *, one line each, printable, without repetition */
    BerthImageOrigin *origin; /* NULL: not a container image */
} BerthImageReport;

void berth_image_report_clear(BerthImageReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthImageReport, berth_image_report_clear)

/* Make an image in the empty file @output, open for reading and writing, from the archive read
 * from @input to its end. Not synced. @progress and @ret_report may be NULL. */
bool berth_image_write(int input, int output, const BerthImageOptions *options,
                       BerthProgressFunc progress, gpointer user_data, BerthImageReport *ret_report,
                       GError **error);

G_END_DECLS

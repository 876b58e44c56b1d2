/* SPDX-License-Identifier: MIT
 *
 * archive — an import's input: the tar of a root file system, or a container image in layers.
 *
 *     input -> stream -> probe of the head -> tar                       (a root file system)
 *                                          -> [spool ->] layers -> tar, tar ...   (an image)
 *     a file that grows, and how far -> layers -> tar, tar ...                      (an image)
 *
 * The members of an image archive come in any order, so a plain file is read in place, and a
 * compressed file or a pipe is spooled first. Only archives whose first entries look like an image
 * are spooled; if they contain none, they are read as a root file system.
 *
 * Ownership: the fds are borrowed. Errors: those of tar.h and layers.h; "import.spool.*".
 */
#pragma once

#include "layers.h"

#include "disk/archive/tar.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthArchive BerthArchive;

typedef struct {
    const char *name;         /* the archive's name in messages */
    const char *architecture; /* of the image; see BerthLayersInput */
    const char *digest;       /* the same; with one, a root file system is an error */
    int spool;                /* an empty file, opened O_RDWR; -1: spool to memory, at most 64 MiB
                               */
    guint64 spool_max;        /* limit of its size in bytes */
    bool growing; /* the input is a container image that is still being written, and @spool the pipe
                     that says how far (disk/file/growth.h). Its documents, its headers and the size
                     of the file are there with the first number */
} BerthArchiveOptions;

/* Open the archive in @input, from its current offset to its end. */
BerthArchive *berth_archive_open(int input, const BerthArchiveOptions *options, GError **error);
void berth_archive_free(BerthArchive *archive);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthArchive, berth_archive_free)

/* Do one step of the preparation; call until *ret_ready. */
bool berth_archive_prepare(BerthArchive *archive, bool *ret_ready, GError **error);

/* Get the next tar, to be unpacked over the previous ones. Read the previous one to its end first.
 * *ret_tar is borrowed until the next call, and NULL after the last. */
bool berth_archive_next(BerthArchive *archive, BerthTar **ret_tar, GError **error);

/* The image whose layers the tars are; NULL for a root file system. Valid once ready. */
const BerthImageOrigin *berth_archive_origin(const BerthArchive *archive);

/* Progress: position and total in bytes of input; spooled bytes count again when they are read
 * again. The total is 0 if unknown. */
guint64 berth_archive_position(const BerthArchive *archive);
guint64 berth_archive_total(const BerthArchive *archive);

/* Bytes of the input read so far, each counted once. */
guint64 berth_archive_bytes(const BerthArchive *archive);

G_END_DECLS

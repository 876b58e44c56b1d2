/* SPDX-License-Identifier: MIT
 *
 * archive — an import's input: the tar of a root file system, or a container image in layers.
 *
 *     input -> stream -> head looked at -> tar                                     (a root, one
 * pass)
 *                                       -> [spool ->] layers -> tar, tar, tar ...  (an image)
 *
 * The members of an image archive come in any order. A plain file is read in place; a compressed
 * file or a pipe is first spooled. Only archives that begin like an image are, and those without an
 * image are then read as a root file system.
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
    const char *name;         /* what messages call it */
    const char *architecture; /* of the image; see BerthLayersInput */
    int spool;                /* an empty file, open for both; -1: memory, for 64 MiB */
    guint64 spool_max;        /* bytes it may grow to */
} BerthArchiveOptions;

/* The archive read from @input, from its current offset to its end. */
BerthArchive *berth_archive_open(int input, const BerthArchiveOptions *options, GError **error);
void berth_archive_free(BerthArchive *archive);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthArchive, berth_archive_free)

/* Do one step of the preparation; call until *ret_ready. */
bool berth_archive_prepare(BerthArchive *archive, bool *ret_ready, GError **error);

/* The next tar, to unpack over the previous ones. Read the previous one to its end first. *ret_tar
 * is borrowed until the next call, and NULL after the last. */
bool berth_archive_next(BerthArchive *archive, BerthTar **ret_tar, GError **error);

/* The image the tars are layers of, or NULL: there is only one, a root file system. Once ready. */
const BerthImageOrigin *berth_archive_origin(const BerthArchive *archive);

/* Progress: position and total in bytes of input; spooled bytes count again when they are read
 * again. The total is 0 if unknown. */
guint64 berth_archive_position(const BerthArchive *archive);
guint64 berth_archive_total(const BerthArchive *archive);

/* Bytes of the input that were read, each counted once. */
guint64 berth_archive_bytes(const BerthArchive *archive);

G_END_DECLS

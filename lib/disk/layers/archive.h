/* SPDX-License-Identifier: MIT
 *
 * archive — what is given to import: the tar of a root file system, or a container image in layers.
 *
 *     input -> stream -> head looked at -> tar                                     (a root, one
 * pass)
 *                                       -> [spool ->] layers -> tar, tar, tar ...  (an image)
 *
 * An image's parts lie in its archive in any order. If that is a plain file they are read where
 * they are; if it is compressed or a pipe, it is first unpacked into the spool. Only archives that
 * begin like an image's take this way, and those that turn out to be none are read as a root all
 * the same.
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

/* The archive read from @input, from where it stands to its end. */
BerthArchive *berth_archive_open(int input, const BerthArchiveOptions *options, GError **error);
void berth_archive_free(BerthArchive *archive);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthArchive, berth_archive_free)

/* Do the next piece of what comes before the first tar, until *ret_ready. */
bool berth_archive_prepare(BerthArchive *archive, bool *ret_ready, GError **error);

/* The next tar to unpack over the ones before, when the last was read to its end. *ret_tar is
 * borrowed until the next call, and NULL after the last. */
bool berth_archive_next(BerthArchive *archive, BerthTar **ret_tar, GError **error);

/* The image the tars are layers of, or NULL: there is only one, a root file system. Once ready. */
const BerthImageOrigin *berth_archive_origin(const BerthArchive *archive);

/* How far it was read, and how far there is to go: in bytes of the input, which count again where
 * they are read again. The total is 0 if it is not known. */
guint64 berth_archive_position(const BerthArchive *archive);
guint64 berth_archive_total(const BerthArchive *archive);

/* Bytes of the input that were read, each counted once. */
guint64 berth_archive_bytes(const BerthArchive *archive);

G_END_DECLS

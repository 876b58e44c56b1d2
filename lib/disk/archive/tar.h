/* SPDX-License-Identifier: MIT
 *
 * tar — reads the entries of a tar archive. The only user of libarchive.
 *
 * Reads all tar dialects in any compression of stream.h; rejects other formats and names them.
 * Entry names are the archive's bytes, whatever the locale. Entries are raw: validate with
 * berth_entry_normalise().
 *
 * Reads the input to its end, so that truncation or damage after the last entry is found too.
 * Ignores bytes after the archive's end mark, as tar(1) does.
 *
 * Ownership: blocks of data are borrowed and valid until the next call.
 *
 * Errors: BERTH_ERROR_INVALID with "import.open.empty", "import.open.not-a-tar",
 * "import.read.truncated", "import.read.damaged"; those of the stream. Messages begin with the
 * archive's name.
 */
#pragma once

#include "stream.h"

#include "disk/tree/entry.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthTar BerthTar;

/* Takes @stream, also on failure. */
BerthTar *berth_tar_open(BerthStream *stream, const char *name, GError **error);

void berth_tar_free(BerthTar *tar);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthTar, berth_tar_free)

/* Read the next entry into the empty *ret_entry; skips unread data of the previous one. *ret_end:
 * no more entries; the input was read to its end. */
bool berth_tar_next(BerthTar *tar, BerthEntry *ret_entry, bool *ret_end, GError **error);

/* Get the next block of the entry's data and its offset in the file. Skips holes. *ret_size is 0 at
 * the end of the entry. */
bool berth_tar_read(BerthTar *tar, const void **ret_data, gsize *ret_size, guint64 *ret_offset,
                    GError **error);

/* Compressed input bytes consumed so far, including read-ahead. */
guint64 berth_tar_position(const BerthTar *tar);

/* Warnings (char *) that begin with the archive's name. Complete after the end was read;
 * borrowed. */
const GPtrArray *berth_tar_warnings(const BerthTar *tar);

G_END_DECLS

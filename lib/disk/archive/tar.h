/* SPDX-License-Identifier: MIT
 *
 * tar — reads the entries of a tar archive. The only user of libarchive.
 *
 * Only tar is read, in all its dialects, whatever it is compressed with (stream.h); everything else
 * is refused by the name of what it is. Names come out byte for byte as
 * they are in the archive, whatever the locale. Entries are raw: berth_entry_normalise() judges
 * them.
 *
 * The input is read to its very end, so that a stream cut or changed after the last entry is found
 * too. What stands behind the end mark of the archive is ignored, as tar(1) does.
 *
 * Ownership: blocks of data are borrowed and good until the next call.
 *
 * Errors: BERTH_ERROR_INVALID with "import.open.empty", "import.open.not-a-tar",
 * "import.read.truncated", "import.read.damaged"; what the stream gives. Messages begin with the
 * archive's name.
 */
#pragma once

#include "stream.h"

#include "disk/tree/entry.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthTar BerthTar;

/* @stream is taken, also when this fails. */
BerthTar *berth_tar_open(BerthStream *stream, const char *name, GError **error);

void berth_tar_free(BerthTar *tar);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthTar, berth_tar_free)

/* The next entry into the empty *ret_entry; what was not read of the last one's data is skipped.
 * *ret_end: there is none, and the input was read to its end. */
bool berth_tar_next(BerthTar *tar, BerthEntry *ret_entry, bool *ret_end, GError **error);

/* The next block of the entry's data and its offset in the file. Holes are left out. *ret_size is 0
 * at the end of the entry. */
bool berth_tar_read(BerthTar *tar, const void **ret_data, gsize *ret_size, guint64 *ret_offset,
                    GError **error);

/* Bytes of the input, still compressed, used so far: some of them ahead of the entries. */
guint64 berth_tar_position(const BerthTar *tar);

/* What is worth telling though it is no error: strings that begin with the archive's name. Complete
 * once the end was read; borrowed. */
const GPtrArray *berth_tar_warnings(const BerthTar *tar);

G_END_DECLS

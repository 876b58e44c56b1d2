/* SPDX-License-Identifier: MIT
 *
 * tarwriter — writes entries as a tar archive in POSIX's interchange format (pax).
 *
 * Uses a plain ustar header where possible, which any tar reads; values it cannot represent go into
 * records of an extended header before it:
 *
 *     path linkpath uid gid size    if too long or too large for the fields
 *     mtime atime ctime             fractions, before 1970; atime and ctime if they differ
 *     SCHILY.xattr.NAME             attributes, raw
 *     SCHILY.acl.access, .default   ACLs as text, with numeric ids
 *     LIBARCHIVE.xattr.NAME         attributes whose names a key cannot contain
 *     GNU.sparse.*                  holes of 64 KiB and more: GNU's sparse format 1.0
 *     hdrcharset=BINARY             with a path or link that is not UTF-8
 *
 * Owners are numeric only. The output depends on the entries alone. Names must be valid, as those
 * of berth_ext4_reader_next() are. Errors are those of the output.
 */
#pragma once

#include "compress.h"

#include "disk/tree/entry.h"
#include "disk/tree/run.h"

G_BEGIN_DECLS

/* Read @size bytes at @position into @buffer. */
typedef bool (*BerthReadFunc)(guint64 position, guint8 *buffer, gsize size, gpointer user_data,
                              GError **error);

/* Append an entry that has no data. */
bool berth_tarwriter_add(BerthCompress *output, const BerthEntry *entry, GError **error);

/* Append a regular file of entry->size bytes with its @runs (BerthDataRun, in order). */
bool berth_tarwriter_add_file(BerthCompress *output, const BerthEntry *entry, const GArray *runs,
                              BerthReadFunc read, gpointer user_data, GError **error);

/* Append the end mark: two blocks of zeros. Does not end @output. */
bool berth_tarwriter_end(BerthCompress *output, GError **error);

G_END_DECLS

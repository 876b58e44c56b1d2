/* SPDX-License-Identifier: MIT
 *
 * tarwriter — entries as a tar archive in POSIX's interchange format (pax).
 *
 * A plain ustar header where that says it all, so that any tar reads it; what does not fit goes
 * into records of a header before it:
 *
 *     path linkpath uid gid size    too long or too large for the fields
 *     mtime atime ctime             with fractions, before 1970; the latter two when they differ
 *     SCHILY.xattr.NAME             attributes as they are
 *     SCHILY.acl.access, .default   ACLs as text, with numbers
 *     LIBARCHIVE.xattr.NAME         attributes whose names a record cannot have
 *     GNU.sparse.*                  holes of 64 KiB and more: GNU's sparse format 1.0
 *     hdrcharset=BINARY             with a path or link that is not UTF-8
 *
 * Owners are numbers only. The bytes depend on the entries alone. Names are written as they come:
 * berth_ext4_reader_next() gives sound ones. Errors are those of the output.
 */
#pragma once

#include "compress.h"

#include "disk/tree/entry.h"
#include "disk/tree/run.h"

G_BEGIN_DECLS

/* @size bytes from @position into @buffer. */
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

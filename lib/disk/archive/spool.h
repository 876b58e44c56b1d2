/* SPDX-License-Identifier: MIT
 *
 * spool — stores a byte stream for random access.
 *
 * Zeros become holes, so a small archive cannot fill the disk with them.
 *
 * Ownership: a file given by the caller is borrowed. Errors: "import.spool.too-large", and
 * "import.spool.no-space" and so on.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthSpool BerthSpool;

/* Spool into the empty file @fd, open for reading and writing, at most @max bytes. If @fd is -1:
 * into memory, with a lower limit. */
BerthSpool *berth_spool_new(int fd, guint64 max, GError **error);
void berth_spool_free(BerthSpool *spool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthSpool, berth_spool_free)

/* Append @size bytes; 0 marks the end. */
bool berth_spool_append(BerthSpool *spool, const guint8 *data, gsize size, GError **error);

bool berth_spool_is_whole(const BerthSpool *spool);
int berth_spool_fd(const BerthSpool *spool);
guint64 berth_spool_size(const BerthSpool *spool);

G_END_DECLS

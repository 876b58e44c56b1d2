/* SPDX-License-Identifier: MIT
 *
 * holes — the parts of a file that have no blocks, which a write would have to allocate.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Those of @length bytes at @offset of file @fd: guint64 pairs of begin and end, ascending, in a
 * GArray. Blocks that fallocate reserved are no holes, where the file system tells (FIEMAP). What
 * cannot be found out is a hole. Free with g_array_unref. */
GArray *berth_holes_find(int fd, guint64 offset, guint64 length);

G_END_DECLS

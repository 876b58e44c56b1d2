/* SPDX-License-Identifier: MIT
 *
 * sparse_copy — the contents of a file in memory (memfd) as a value, without its holes; and a file
 * made of such a value. Blocking, but all is in memory.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The size, then of each part its place and bytes. */
#define BERTH_SPARSE_COPY_TYPE "(ta(tay))"

/* A floating value of the contents of @fd; NULL if they cannot be read or are more than
 * @limit bytes. */
GVariant *berth_sparse_copy_save(int fd, guint64 limit);

/* A new file called @name in /proc, with the contents @copy, which need not be well-formed, and a
 * sealed size; -1 if it would have more than @limit bytes. */
int berth_sparse_copy_load(GVariant *copy, const char *name, guint64 limit);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * tarindex — an index of a plain tar: name -> offset and length.
 *
 * For nested archives, whose members are read out of order. Reads only headers, with pread(), and
 * leaves the descriptor's offset unchanged. Names are normalised ("./a//b" is "a/b"); of duplicate
 * names the last wins. Symbolic and hard links to other members are followed by name, never beyond
 * the archive.
 *
 * Headers are parsed as for tar.h (ext_headers.h). A sparse member is indexed, but looking it up is
 * an error.
 *
 * Ownership: the fd is borrowed. Offsets are from the beginning of the fd, in bytes.
 *
 * Errors: BERTH_ERROR_INVALID, "import.read.truncated" and "import.read.damaged"; "import.read.io"
 * and so on.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthTarIndex BerthTarIndex;

typedef struct {
    guint64 offset;
    guint64 size;
} BerthTarRange;

/* Index the tar in the @length bytes at @offset of @fd. */
BerthTarIndex *berth_tarindex_new(int fd, guint64 offset, guint64 length, GError **error);
void berth_tarindex_free(BerthTarIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthTarIndex, berth_tarindex_free)

/* Whether the whole archive was indexed; false beyond the member limit. */
bool berth_tarindex_is_complete(const BerthTarIndex *index);

/* Whether a top-level entry is called @name, also one implied by a path below it. */
bool berth_tarindex_has_top(const BerthTarIndex *index, const char *name);

/* Whether @path is a file, or a link to one. */
bool berth_tarindex_has(const BerthTarIndex *index, const char *path);

/* Find the bytes of @path. BERTH_ERROR_NOT_FOUND, "import.image.missing" if there is no such file,
 * or its links dangle or form a cycle; "import.image.sparse" if it is stored sparse. */
bool berth_tarindex_find(const BerthTarIndex *index, const char *path, BerthTarRange *ret_range,
                         GError **error);

/* The first path component, other than the root, in a tar that begins with @head; NULL if @head is
 * too short or damaged. Free with g_free. */
char *berth_tarindex_first_top(const guint8 *head, gsize size);

G_END_DECLS

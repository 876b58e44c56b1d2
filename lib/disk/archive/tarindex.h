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

/* The members of the tar in the @length bytes at @offset of @fd. */
BerthTarIndex *berth_tarindex_new(int fd, guint64 offset, guint64 length, GError **error);
void berth_tarindex_free(BerthTarIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthTarIndex, berth_tarindex_free)

/* Whether the whole archive was indexed; false beyond the member limit. */
bool berth_tarindex_is_complete(const BerthTarIndex *index);

/* Whether anything is called @name, or is below a directory of that name, at the top. */
bool berth_tarindex_has_top(const BerthTarIndex *index, const char *name);

/* Whether @path is a file, or leads to one. */
bool berth_tarindex_has(const BerthTarIndex *index, const char *path);

/* Where the bytes of @path are. BERTH_ERROR_NOT_FOUND, "import.image.missing" when there is no such
 * file, or when links lead nowhere or in circles; "import.image.sparse" when it is not in one
 * piece. */
bool berth_tarindex_find(const BerthTarIndex *index, const char *path, BerthTarRange *ret_range,
                         GError **error);

/* Of a tar that begins with @head, the first component of the first name but the root's; NULL when
 * @head is too short to say, or damaged. Free with g_free. */
char *berth_tarindex_first_top(const guint8 *head, gsize size);

G_END_DECLS

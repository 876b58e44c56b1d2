/* SPDX-License-Identifier: MIT
 *
 * header — one 512-byte header block of a tar, field by field (POSIX ustar; GNU tar's manual).
 *
 * Pure. Blocks are borrowed.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_HEADER_SIZE 512U

typedef enum {
    BERTH_HEADER_MODE,
    BERTH_HEADER_UID,
    BERTH_HEADER_GID,
    BERTH_HEADER_LENGTH,
    BERTH_HEADER_MTIME,
    BERTH_HEADER_MAJOR,
    BERTH_HEADER_MINOR,
    BERTH_HEADER_ACCESSED, /* GNU's, in incremental archives */
    BERTH_HEADER_CHANGED,
} BerthHeaderField;

/* The bytes that a member's @size takes: whole blocks. */
static inline guint64 berth_header_padded(guint64 size)
{
    return (size + BERTH_HEADER_SIZE - 1) / BERTH_HEADER_SIZE * BERTH_HEADER_SIZE;
}

bool berth_header_is_zero(const guint8 *header);

/* Verify the checksum: the sum of all bytes, its own field as blanks. Accepts sums of signed bytes,
 * which old writers made. */
bool berth_header_checksum_is_right(const guint8 *header);

bool berth_header_is_gnu(const guint8 *header);
bool berth_header_is_ustar(const guint8 *header); /* POSIX's, not GNU's */

/* The typeflag. */
char berth_header_type(const guint8 *header);

/* Parse a number: octal with optional white space, or base-256 (first bit set); empty is 0, as old
 * writers leave it. False when malformed or out of range. */
bool berth_header_number(const guint8 *header, BerthHeaderField field, gint64 *ret_value);

/* The field's name in messages. */
const char *berth_header_field_name(BerthHeaderField field);

/* The name with its prefix, and the link's target; free with g_free. GNU's header has no prefix;
 * Go's archive/tar before 1.8 wrote one all the same; it is accepted when unambiguous: GNU's time
 * fields hold text, and name and prefix together exceed the name field. */
char *berth_header_path(const guint8 *header);
char *berth_header_target(const guint8 *header);

/* Whether a non-sparse GNU header has bytes in the fields of sparse and incremental entries. GNU
 * tar ignores them; libarchive would read a sparse map. */
bool berth_header_has_stray_tail(const guint8 *header);

/* Append @header without its tail. */
void berth_header_append_clean(GByteArray *bytes, const guint8 *header);

/* A sparse file in star's format, which only star and GNU tar can read. */
bool berth_header_is_star_sparse(const guint8 *header);

/* Old GNU sparse format: whether blocks with more of the map follow the header, or follow
 * @block. */
bool berth_header_is_gnu_sparse(const guint8 *header);
bool berth_header_map_is_extended(const guint8 *header);
bool berth_header_map_block_is_extended(const guint8 *block);

/* Append the header of a PAX body of @size bytes. */
void berth_header_append_pax(GByteArray *bytes, gsize size);

G_END_DECLS

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

bool berth_header_is_zero(const guint8 *header);

/* The sum of the bytes, its own field read as blanks; old writers summed signed bytes. */
bool berth_header_checksum_is_right(const guint8 *header);

bool berth_header_is_gnu(const guint8 *header);
bool berth_header_is_ustar(const guint8 *header); /* POSIX's, not GNU's */

/* The letter that says what kind of entry it is. */
char berth_header_type(const guint8 *header);

/* Octal, with white space around it, or binary with the first bit set; empty is 0, as old writers
 * leave it. False when it is neither or does not fit. */
bool berth_header_number(const guint8 *header, BerthHeaderField field, gint64 *ret_value);

/* What users call the field. */
const char *berth_header_field_name(BerthHeaderField field);

/* The name with its prefix, and the link's target; free with g_free. GNU's header has no prefix;
 * Go's archive/tar before 1.8 wrote one there all the same, and is believed where nothing else can
 * be meant: the place of GNU's times holds text, and name and prefix are too long for a name. */
char *berth_header_path(const guint8 *header);
char *berth_header_target(const guint8 *header);

/* Whether a GNU header of another kind than sparse files has something where GNU's own fields for
 * those and for incremental archives are. GNU tar ignores it; libarchive reads a map from it. */
bool berth_header_has_stray_tail(const guint8 *header);

/* Append @header without its tail. */
void berth_header_append_clean(GByteArray *bytes, const guint8 *header);

/* A sparse file of star's, which only star and GNU tar can read. */
bool berth_header_is_star_sparse(const guint8 *header);

/* Of GNU's old sparse files: whether more of the map follows the header, in blocks of their own. */
bool berth_header_is_gnu_sparse(const guint8 *header);
bool berth_header_map_is_extended(const guint8 *header);
bool berth_header_map_block_is_extended(const guint8 *block);

/* Append the header of a PAX body of @size bytes. */
void berth_header_append_pax(GByteArray *bytes, gsize size);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * pax — the records that may precede an entry of a tar (POSIX pax, "Extended Header"; also the keys
 * of GNU tar, star, libarchive and Sun).
 *
 * A record is "LENGTH KEY=VALUE\n". The last record of a key wins; an empty value resets the key,
 * except for attributes, which may be empty. Rejects malformed records and numbers, and names with
 * a NUL: other readers parse them as 0 (and so root) or truncate them.
 *
 * berth_pax_build() returns the records that libarchive handles correctly; this module handles the
 * rest.
 *
 * Pure. Errors: BERTH_ERROR_INVALID "import.read.damaged" and "import.read.unsupported"; the
 * messages do not name the entry.
 */
#pragma once

#include "disk/tree/entry.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Text values for the caller or libarchive, one per key. */
typedef enum {
    BERTH_PAX_PATH,
    BERTH_PAX_TARGET,
    BERTH_PAX_SPARSE_PATH, /* overrides PATH, which is a placeholder then */
    BERTH_PAX_FLAGS,
    BERTH_PAX_ACL_ACCESS, /* as text (acl_text.h) */
    BERTH_PAX_ACL_DEFAULT,
    BERTH_PAX_ACL_NFS4,
    BERTH_PAX_MAJOR, /* from here on also passed to libarchive */
    BERTH_PAX_MINOR,
    BERTH_PAX_SPARSE_BLOCKS,
    BERTH_PAX_SPARSE_SIZE,
    BERTH_PAX_SPARSE_MAP,
    BERTH_PAX_SPARSE_MAJOR,
    BERTH_PAX_SPARSE_MINOR,
    BERTH_PAX_REALSIZE,
    BERTH_PAX_STAR_REALSIZE,
    BERTH_PAX_HOLES,
    BERTH_PAX_TEXTS,
} BerthPaxText;

typedef enum { BERTH_PAX_UID, BERTH_PAX_GID, BERTH_PAX_SIZE, BERTH_PAX_NUMBERS } BerthPaxNumber;

typedef struct {
    char *texts[BERTH_PAX_TEXTS]; /* NULL: no record */
    gint64 numbers[BERTH_PAX_NUMBERS];
    bool has_number[BERTH_PAX_NUMBERS];
    BerthTime times[BERTH_TIMES];
    bool has_time[BERTH_TIMES];
    GByteArray *weak_xattrs;  /* records of LIBARCHIVE.xattr and RHT.security, or NULL */
    GByteArray *xattrs;       /* records of SCHILY.xattr; they win over weak_xattrs */
    GByteArray *sparse_pairs; /* records of GNU.sparse.offset and .numbytes; their keys repeat */
} BerthPax;

void berth_pax_clear(BerthPax *pax);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthPax, berth_pax_clear)

/* Deep-copy @pax into the empty @ret_pax. */
void berth_pax_copy(const BerthPax *pax, BerthPax *ret_pax);

/* Add the records of one header's body. */
bool berth_pax_add(BerthPax *pax, const guint8 *body, gsize size, GError **error);

/* Whether the records describe a sparse file. */
bool berth_pax_is_sparse(const BerthPax *pax);

/* Validate the device numbers: digits, if the entry @is_device; otherwise drop them unread. */
bool berth_pax_check_device(BerthPax *pax, bool is_device, GError **error);

/* Convert Sun's list of holes to GNU's form: "[ OFFSET]...", the offsets at which data and holes
 * begin alternately, then the file's size. @data_size: size of the data in the archive, which may
 * include the zeros of the holes. */
bool berth_pax_convert_holes(BerthPax *pax, gint64 data_size, GError **error);

/* Append "LENGTH KEY=VALUE\n". */
void berth_pax_append(GByteArray *body, const char *key, const void *value, gsize size);

/* Append the records for libarchive: everything but names, owners, times and flags. */
void berth_pax_build(const BerthPax *pax, GByteArray *body);

G_END_DECLS

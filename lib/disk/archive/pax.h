/* SPDX-License-Identifier: MIT
 *
 * pax — the records that may stand before an entry of a tar (POSIX pax, "Extended Header"; the keys
 * of GNU, star, libarchive and Sun beside them).
 *
 * A record is "LENGTH KEY=VALUE\n". The last record of a key wins; an empty value resets the key,
 * except for attributes, which may be empty. Rejects malformed records, numbers and times and names
 * with a NUL, where other readers see 0 (and so root) or half a name.
 *
 * berth_pax_build() returns the records that libarchive handles correctly; this module handles the
 * rest.
 *
 * Pure. Errors: BERTH_ERROR_INVALID "import.read.damaged" and "import.read.unsupported"; the
 * messages say what is wrong, not where.
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
    BERTH_PAX_SPARSE_PATH, /* beats PATH, which is made up then */
    BERTH_PAX_FLAGS,
    BERTH_PAX_ACL_ACCESS, /* in words (acl_text.h) */
    BERTH_PAX_ACL_DEFAULT,
    BERTH_PAX_ACL_NFS4,
    BERTH_PAX_MAJOR, /* from here on passed to libarchive too */
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
    char *texts[BERTH_PAX_TEXTS]; /* NULL: nothing said */
    gint64 numbers[BERTH_PAX_NUMBERS];
    bool has_number[BERTH_PAX_NUMBERS];
    BerthTime times[BERTH_TIMES];
    bool has_time[BERTH_TIMES];
    GByteArray *weak_xattrs;  /* records of LIBARCHIVE.xattr and RHT.security, or NULL */
    GByteArray *xattrs;       /* records of SCHILY.xattr: what stands here wins */
    GByteArray *sparse_pairs; /* records of GNU.sparse.offset and .numbytes, which repeat */
} BerthPax;

void berth_pax_clear(BerthPax *pax);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthPax, berth_pax_clear)

/* Deep-copy @pax into the empty @ret_pax. */
void berth_pax_copy(const BerthPax *pax, BerthPax *ret_pax);

/* Add the records of one header's body. */
bool berth_pax_add(BerthPax *pax, const guint8 *body, gsize size, GError **error);

/* Whether it describes holes. */
bool berth_pax_is_sparse(const BerthPax *pax);

/* The numbers of a device: digits, or an error; of what is no device they are dropped, unread. */
bool berth_pax_settle_device(BerthPax *pax, bool is_device, GError **error);

/* Sun's list of holes in GNU's form: "[ OFFSET]..." where data and holes begin in turn, the size of
 * the file at the end. @data_size: of what is in the archive, which may also be the whole file with
 * its zeros. */
bool berth_pax_convert_holes(BerthPax *pax, gint64 data_size, GError **error);

/* Append "LENGTH KEY=VALUE\n". */
void berth_pax_append(GByteArray *body, const char *key, const void *value, gsize size);

/* Append the records for libarchive: everything but names, owners, times and flags. */
void berth_pax_build(const BerthPax *pax, GByteArray *body);

G_END_DECLS

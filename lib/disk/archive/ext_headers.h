/* SPDX-License-Identifier: MIT
 *
 * ext_headers — what stands in front of an entry's data in a tar: its own header, and the special
 * ones before it (PAX, global PAX, GNU's long names), as one set of facts.
 *
 * PAX beats GNU beats the header; an entry's PAX beats the global one. What libarchive has to know
 * of it comes out as PAX records for it. Bad headers are refused: see the errors of header.h's and
 * pax.h's callers, "import.read.damaged" and "import.read.unsupported".
 *
 * Pure. A ext_headers owns what it holds.
 */
#pragma once

#include "pax.h"

#include "disk/tree/entry.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    guint64 position; /* the walker's (headers.h) */
    char *path;       /* as it stands in the archive */
    char *target;
    gint64 uid;
    gint64 gid;
    BerthTime times[BERTH_TIMES]; /* of PAX; what the header itself has libarchive knows */
    bool has_time[BERTH_TIMES];
    bool is_sparse;
    bool is_socket;
    bool has_nodump;
    guint other_flags;
    char *acl; /* in words (acl_text.h), or NULL */
    char *default_acl;
    guint lost_acls; /* of NFSv4 and of Solaris' own header kind */

    gint64 data_size;       /* bytes that follow, without padding */
    bool has_map_in_data;   /* PAX 1.0: a sparse map stands before the data */
    bool has_map_in_blocks; /* GNU: the sparse map goes on in blocks behind the header */
    bool is_of_unknown_kind;
} BerthFacts;

void berth_facts_clear(BerthFacts *facts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthFacts, berth_facts_clear)

typedef struct {
    BerthPax globals;
    BerthPax pax;
    bool has_pax; /* of the entry's own */
    char *path;
    char *target;
    guint lost_acls;
    bool is_pax; /* what libarchive takes the format for, which decides about links with data */
} BerthExtHeaders;

void berth_ext_headers_clear(BerthExtHeaders *ext_headers);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthExtHeaders, berth_ext_headers_clear)

/* Whether a header of this type belongs to what follows it. */
bool berth_ext_headers_is_special(char type);

/* Add a special header's body. */
bool berth_ext_headers_add(BerthExtHeaders *ext_headers, char type, const guint8 *body, gsize size,
                           GError **error);

/* Whether something was added that still waits for its entry. */
bool berth_ext_headers_is_pending(const BerthExtHeaders *ext_headers);

/* The entry's own @header: everything about it in the empty *ret_facts, and @records (may stay
 * empty; NULL: not wanted) for libarchive. What was added before is used up. */
bool berth_ext_headers_resolve(BerthExtHeaders *ext_headers, const guint8 *header,
                               BerthFacts *ret_facts, GByteArray *records, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * ext_headers — merges an entry's header with the extended headers before it (PAX, global PAX, GNU
 * long names) into one BerthFacts.
 *
 * PAX overrides GNU, GNU the header; an entry's PAX overrides the global one. The values that
 * libarchive needs are returned as PAX records. Errors: "import.read.damaged",
 * "import.read.unsupported".
 *
 * Pure. A BerthExtHeaders owns its members.
 */
#pragma once

#include "pax.h"

#include "disk/tree/entry.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    guint64 position; /* set by headers.c */
    char *path;       /* as in the archive */
    char *target;
    gint64 uid;
    gint64 gid;
    BerthTime times[BERTH_TIMES]; /* from PAX; libarchive reads the header's own */
    bool has_time[BERTH_TIMES];
    bool is_sparse;
    bool is_socket;
    bool has_nodump;
    guint other_flags;
    char *acl; /* text form (acl_text.h), or NULL */
    char *default_acl;
    guint lost_acls; /* NFSv4 ACLs and Solaris' type 'A' headers */

    gint64 data_size;       /* bytes that follow the header, without padding */
    bool has_map_in_data;   /* GNU sparse format 1.0: a map precedes the data */
    bool has_map_in_blocks; /* old GNU sparse: map blocks follow the header */
    bool is_of_unknown_kind;
} BerthFacts;

void berth_facts_clear(BerthFacts *facts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthFacts, berth_facts_clear)

typedef struct {
    BerthPax globals;
    BerthPax pax;
    bool has_pax; /* the entry has a PAX header of its own */
    char *path;
    char *target;
    guint lost_acls;
    bool is_pax; /* libarchive's view of the format; decides whether links have data */
} BerthExtHeaders;

void berth_ext_headers_clear(BerthExtHeaders *ext_headers);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthExtHeaders, berth_ext_headers_clear)

/* Whether a header of @type describes the entry after it. */
bool berth_ext_headers_is_special(char type);

/* Add the body of an extended header. */
bool berth_ext_headers_add(BerthExtHeaders *ext_headers, char type, const guint8 *body, gsize size,
                           GError **error);

/* Whether extended headers were added since the last entry. */
bool berth_ext_headers_is_pending(const BerthExtHeaders *ext_headers);

/* Merge the entry's own @header with the extended headers added so far into the empty *ret_facts,
 * and reset them. Appends libarchive's PAX records to @records (NULL: not wanted). */
bool berth_ext_headers_resolve(BerthExtHeaders *ext_headers, const guint8 *header,
                               BerthFacts *ret_facts, GByteArray *records, GError **error);

G_END_DECLS

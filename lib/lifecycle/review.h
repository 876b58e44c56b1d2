/* SPDX-License-Identifier: MIT
 *
 * review — what distros changed in shares that keep such changes beside the host's files.
 */
#pragma once

#include "handle.h"

#include "overlay/review.h"

G_BEGIN_DECLS

typedef struct {
    char *path; /* of the host, absolute */
    BerthChangeKind kind;
    bool is_directory, is_conflict;
} BerthShareChange;

/* The changes by @name at or below @path, a path of the host; NULL: in all its shares. Free with
 * g_ptr_array_unref. Errors: "distro.*"; "changes.none", "changes.path"; "overlay.open". */
GPtrArray *berth_review_list(Berth *berth, const char *name, const char *path, GError **error);

typedef enum { REVIEW_ACCEPT, REVIEW_FORCE, REVIEW_DISCARD } BerthReview;

/* Make these changes in the host's files, or drop them; *@ret_count of them were. All
 * shares are checked before the first is changed. Without force a conflict is an error:
 * "changes.conflict". A running distro sees what was settled at the return. "changes.locked": a
 * program in it has locked a file that would be accepted; "changes.busy": its berth-share does not
 * answer. */
bool berth_review_settle(Berth *berth, const char *name, const char *path, BerthReview review,
                         guint *ret_count, GError **error);

G_END_DECLS

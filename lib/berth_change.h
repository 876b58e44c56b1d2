/* SPDX-License-Identifier: MIT
 *
 * berth_change — the changes that a distro makes in a share which keeps them beside it. A part
 * of the public interface (berth.h).
 */
#pragma once

#include "berth_share.h"

G_BEGIN_DECLS

/* One change of the distro's in a share whose changes are kept beside it. */
typedef struct {
    char *path;       /* on this host */
    const char *kind; /* "added", "modified", "deleted", or "mode": its permissions alone */
    bool is_directory;
    bool is_conflict; /* the host has changed the same file since */
} BerthChange;

void berth_change_free(BerthChange *change);

/* The changes of @name's files at or below @path, a path of this host; NULL: all (BerthChange*).
 * Free with g_ptr_array_unref. Errors: "distro.not-found", "changes.none" if no share is reviewed,
 * "changes.path" if @path is in no such share. */
GPtrArray *berth_changes(Berth *berth, const char *name, const char *path, GError **error);

/* Make these changes in this host's files, or drop them; *@ret_count of them. A running distro sees
 * it at the return. Errors, before any is made: also "changes.conflict", unless @force;
 * "changes.locked" if a program in the distro has locked a file to be accepted; "changes.busy". */
bool berth_changes_accept(Berth *berth, const char *name, const char *path, bool force,
                          guint *ret_count, GError **error);
bool berth_changes_discard(Berth *berth, const char *name, const char *path, guint *ret_count,
                           GError **error);

G_END_DECLS

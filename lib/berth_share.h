/* SPDX-License-Identifier: MIT
 *
 * berth_share — directories of the host that distros see, and paths on both sides. A part of the
 * public interface (berth.h).
 */
#pragma once

#include "berth_instance.h"

G_BEGIN_DECLS

/* The path in the distro @name, which is behind @connection, of @path on this host; and the
 * reverse. Both may be relative to the working directory, and need not exist; links on this host
 * are followed, those in the distro are not. Absolute; free with g_free. Errors: "path.unshared",
 * "path.no-shares", "path.working-directory.*". */
char *berth_path_to_guest(int connection, const char *name, const char *path, GError **error);
char *berth_path_to_host(int connection, const char *name, const char *path, GError **error);

typedef struct {
    char *source; /* on this host, without symbolic links */
    char *target; /* in the distro, below /mnt/host */
    bool read_only;
    bool reviewed; /* the distro's changes are kept beside it */
    guint64 quota; /* how many bytes the distro may add; 0: no limit */
    guint64 quota_used;
} BerthSharedDirectory;

typedef struct {
    char *distro;
    GPtrArray *directories; /* BerthSharedDirectory*, by target */
} BerthShareList;

void berth_share_list_free(BerthShareList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthShareList, berth_share_list_free)

/* Share @directory, relative to the working directory, with @name as @target; NULL: its own path.
 * If @reviewed, the distro's changes of it are kept beside it: see berth_changes. @quota: how many
 * bytes the distro may add from now on, net of what it frees; 0: no limit. Not if @read_only.
 * Persistent; a running distro has it at the return. *@ret_notice is a line for the user, or NULL;
 * free with g_free. Errors: "distro.not-found", "share.directory", "share.target", "share.exists",
 * "share.nested", "share.home". */
bool berth_share_add(Berth *berth, const char *name, const char *directory, const char *target,
                     bool read_only, bool reviewed, guint64 quota, char **ret_notice,
                     GError **error);

/* Remove the share whose target or whose directory is @path. Errors: "distro.not-found",
 * "share.not-found", "share.ambiguous". */
bool berth_share_remove(Berth *berth, const char *name, const char *path, char **ret_notice,
                        GError **error);

/* The changes to a share: a member that is false changes nothing. */
typedef struct {
    bool read_only, read_write, reviewed; /* at most one */
    bool unreviewed; /* a reviewed share becomes read-write; not with the others */
    bool sets_quota;
    guint64 quota; /* with sets_quota: bytes; 0: no limit */
} BerthShareSetting;

/* Change the share that @path means to berth_share_remove. A running distro has the change at the
 * return. What was used of a quota stays counted. Errors: "distro.not-found", "share.not-found",
 * "share.ambiguous"; "share.read-only-quota" if it would be read-only and have a quota;
 * "share.changes" if it would not be reviewed any more and has changes: see berth_changes. */
bool berth_share_set(Berth *berth, const char *name, const char *path,
                     const BerthShareSetting *setting, char **ret_notice, GError **error);

/* The shares of @name, or of every distro if NULL: BerthShareList*. Free with g_ptr_array_unref. */
GPtrArray *berth_share_list(Berth *berth, const char *name, GError **error);

G_END_DECLS

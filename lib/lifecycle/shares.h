/* SPDX-License-Identifier: MIT
 *
 * shares — the directories of the host that users share with a distro: rows of the registry, which
 * a running distro gets at once, and every start.
 */
#pragma once

#include "handle.h"

#include "model/share.h"

G_BEGIN_DECLS

typedef enum {
    BERTH_SHARE_WRITE,
    BERTH_SHARE_READ,
    BERTH_SHARE_REVIEWED, /* changes are kept beside it: review.h */
} BerthShareAccess;

/* Share @directory, which is resolved now, relative to the working directory, with @name. @target
 * is its path below the mount point of shares; NULL: the path of the directory. @quota: how many
 * bytes the distro may add, counted from now on, BERTH_SHARE_QUOTA_MAX at most; 0: as many as there
 * are. *@ret_notice is a
 * line for the user, or NULL; free with g_free. Errors: "distro.*"; "share.directory" if it cannot
 * be shared, "share.target", "share.exists", "share.nested"; "share.home" if
 * the target overlaps the home directory, which is shared by berth.conf. */
bool berth_shares_add(Berth *berth, const char *name, const char *directory, const char *target,
                      BerthShareAccess access, guint64 quota, char **ret_notice, GError **error);

/* Remove the share whose target is @path, or else the only one whose directory it is. Errors: also
 * "share.not-found", "share.ambiguous". */
bool berth_shares_remove(Berth *berth, const char *name, const char *path, char **ret_notice,
                         GError **error);

/* The changes to a share: a member that is false changes nothing. */
typedef struct {
    bool read_only, read_write, reviewed; /* at most one */
    bool unreviewed;                      /* what was reviewed is read-write; not with the others */
    bool sets_quota;
    guint64 quota; /* with sets_quota: as of berth_shares_add; 0: none */
} BerthShareEdit;

/* Change the share that @path means, as berth_shares_remove finds it. What it has used of its quota
 * stays counted, unless it had none. Errors: also "share.read-only-quota" if it would be read-only
 * and have a quota; "share.changes" if it is reviewed, would not be, and has changes. */
bool berth_shares_set(Berth *berth, const char *name, const char *path, const BerthShareEdit *edit,
                      char **ret_notice, GError **error);

typedef struct {
    char *distro;
    GPtrArray *shares; /* BerthShare *, by target */
    guint64 *used;     /* owned; of each share with a quota, the bytes of it that are used */
} BerthDistroShares;

/* NULL is allowed. */
void berth_distro_shares_free(BerthDistroShares *shares);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthDistroShares, berth_distro_shares_free)

/* The shares of @name, or of every distro if NULL: BerthDistroShares *. Free with
 * g_ptr_array_unref. */
GPtrArray *berth_shares_list(Berth *berth, const char *name, GError **error);

/* The registry's shares of @distro as texts. Free with g_strfreev. NULL on error. */
char **berth_shares_texts(Berth *berth, const BerthDistro *distro, GError **error);

/* Remove from @machine the shares whose directory is no directory any more, and those that overlap
 * an earlier one. Returns lines for the user that name them, or NULL; free with g_free. */
char *berth_shares_leave_out(BerthMachine *machine);

G_END_DECLS

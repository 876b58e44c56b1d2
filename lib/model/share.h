/* SPDX-License-Identifier: MIT
 *
 * share — a directory of the host that a distro sees, as a value.
 *
 *     text form: ("ro" | "rw") ":" source ":" target
 *                "cow:" source ":" target ":" overlay
 *                "quota:" source ":" target ":" count ":" bytes
 *                "cow-quota:" source ":" target ":" overlay ":" bytes
 *
 * The paths are absolute and hold no ".", ".." or "//". In the text form each byte of a path but
 * letters, digits and "/._-~" is %XX, so that a list of them can be separated by anything.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_SHARE_QUOTA_MAX ((guint64)G_MAXINT64) /* as the registry stores it */

typedef struct {
    char *source; /* on the host; owned */
    char *target; /* in the distro, below the mount point of shares; owned */
    bool read_only;
    char *overlay; /* of the host: keeps the distro's changes; NULL: it changes source. Owned */
    guint64 quota; /* bytes that the distro may add; 0: as many as there are. Not if read_only */
    char *count;   /* of the host: the file that keeps how many it has added, of a share with a
                      quota and no overlay; NULL: not known, and the text form is "rw". Owned */
} BerthShare;

/* Free with berth_share_free, which accepts NULL. */
BerthShare *berth_share_new(const char *source, const char *target, bool read_only);
void berth_share_free(BerthShare *share);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthShare, berth_share_free)

/* Whether @path has the form of such a path. */
bool berth_share_is_path(const char *path);

/* Whether the targets are the same, or one is below the other: the guest could not show both. */
bool berth_share_overlaps(const BerthShare *share, const BerthShare *other);

/* Free with g_free. */
char *berth_share_to_text(const BerthShare *share);

/* NULL: it is no such text. */
BerthShare *berth_share_from_text(const char *text);

G_END_DECLS

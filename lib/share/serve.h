/* SPDX-License-Identifier: MIT
 *
 * serve — the file system that a guest sees of its host: what berth-share runs.
 *
 *     the guest's /dev/fuse -> its agent -> virtio port -> QEMU -> socket -> here -> host files
 *
 * Directories of the host appear at paths below one root. Everything is done as this process's own
 * user, so the guest's root gains nothing: the host's permissions hold. In the guest, files of this
 * user belong to the guest's user and all others to "nobody".
 *
 * The guest caches watched directories without a time limit; inotify events invalidate them. Where
 * a directory cannot be watched, and for files with several names, the limit is a second.
 *
 * No path leaves a share: each is resolved from the share's root with openat2(RESOLVE_BENEATH |
 * RESOLVE_NO_SYMLINKS), and a file is opened only after it was seen to be the node's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct {
    char *source; /* the host's directory, absolute */
    char *path;   /* where it appears, relative to the root: "home/ann" */
    bool read_only;
    char *overlay; /* the directory that keeps the guest's changes, absolute; NULL: none */
    guint64 limit; /* how many bytes the guest may add; 0: as many as there are */
    char *count;   /* the file that keeps how many it has added, absolute; with a limit, unless
                      there is an overlay */
} BerthShareRoot;

typedef struct {
    const char *distro; /* its id: a mount of this distro in a share is left out */
    int port_fd;     /* the guest's port, a stream socket */
    int report_fd;   /* a pipe to the keeper: wire/share_report.h */
    int ledger_fd;   /* a memfd that the servers of one guest share (ledger.h) */
    uid_t guest_uid; /* whose the user's files are in the guest */
    gid_t guest_gid;
    const BerthShareRoot *roots;
    guint n_roots;
    /* NULL-terminated: the paths of these roots, and of those that former servers of this guest had
     */
    const char *const *paths;
} BerthShareSetup;

/* Confine this process and serve until the port closes. A root that cannot be served is reported,
 * and the others are served. Errors: "share.confine"; "share.ledger";
 * "share.serve". */
bool berth_share_serve(const BerthShareSetup *setup, GError **error);

G_END_DECLS

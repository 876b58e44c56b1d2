/* SPDX-License-Identifier: MIT
 *
 * receiver — creates the files and directories of a stream (stream.h), which may be hostile.
 *
 * Nothing is created, changed or followed outside of the destination: each name is one component,
 * opened below a directory's descriptor (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS).
 * Only the destination itself may be a symlink, which is the user's.
 *
 * A file is written under a temporary name and renamed when it is whole. It belongs to the caller;
 * permissions and times are the sender's, setuid and setgid are dropped. An existing
 * directory keeps its own. A file replaces an existing file or symlink of its name, but no
 * directory, device, socket or FIFO. The receiver reports an entry that it cannot create and goes
 * on with the next, unless the file system is full or read-only.
 *
 * Blocking; one thread. All pointers are borrowed.
 */
#pragma once

#include "stream.h"

typedef struct {
    const char *path; /* as for cp(1): an existing directory, or the new name of the only entry */
    bool directory;   /* it must be a directory: there are several entries */
    TransferRead read;
    TransferReport report;     /* the sender's reports, too */
    TransferProgress progress; /* may be NULL */
    void *data;                /* of these three */
} TransferReceive;

/* 0 after END, even if entries were left out; -ENODATA when the stream ended before; -ECANCELED;
 * -EPROTO and -EPROTONOSUPPORT (stream.h); -ENOSPC, -EDQUOT and -EROFS, reported; or the -errno of
 * `read`. On failure no incomplete file remains. */
int transfer_receive(const TransferReceive *receive);

/* SPDX-License-Identifier: MIT
 *
 * receiver — creates the files and directories of a stream (stream.h), which may be hostile.
 *
 * Nothing is created, changed or followed outside of the destination: each name is one component,
 * opened below a directory's descriptor (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS).
 * Only the destination itself may be a symlink, which is the user's.
 *
 * A file is written under a temporary name and renamed when it is whole. It belongs to the caller;
 * permissions and times are the sender's, setuid and setgid are dropped. A directory that is there
 * keeps its own. Another file of the same name is replaced; a directory, a device, a socket or a
 * FIFO is not. What cannot be created is reported, and the rest goes on, unless there is no space.
 *
 * Blocking; one thread. All pointers are borrowed.
 */
#pragma once

#include "stream.h"

typedef struct {
    const char *path; /* as cp(1) has it: an existing directory, or what the one entry becomes */
    bool directory;   /* it must be a directory: there are several entries */
    TransferRead read;
    TransferReport report;     /* the sender's reports, too */
    TransferProgress progress; /* may be NULL */
    void *data;                /* of these three */
} TransferReceive;

/* 0 when END came, whatever had to be left out; -ENODATA when the stream ended before; -ECANCELED;
 * -EPROTO and -EPROTONOSUPPORT (stream.h); -ENOSPC, -EDQUOT and -EROFS, reported; or the -errno of
 * `read`. A file that is not whole is gone then. */
int transfer_receive(const TransferReceive *receive);

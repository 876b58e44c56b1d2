/* SPDX-License-Identifier: MIT
 *
 * sender — walks files and directories and writes them as a stream (stream.h).
 *
 * It goes by descriptors from directory to directory and follows no symlink below the paths it is
 * given, so that a tree that changes meanwhile never leads elsewhere. The sender reports an entry
 * that it cannot read and goes on with the next. Files keep their holes; a further name of a file
 * is sent as a LINK to the first; devices, sockets and FIFOs are reported and left out.
 *
 * Blocking; one thread. All pointers are borrowed.
 */
#pragma once

#include "stream.h"

typedef struct {
    char *const *paths; /* NULL-terminated; relative ones start in the working directory */
    bool recursive;     /* send directories with their content, and symlinks as symlinks unless a
                           slash follows. Otherwise send the file a symlink leads to */
    TransferWrite write;
    TransferReport report;     /* NULL: reports go into the stream */
    TransferProgress progress; /* may be NULL */
    void *data;                /* of these three */
} TransferSend;

/* 0 after END, even if entries were left out; -ECANCELED; or the -errno of `write`. */
int transfer_send(const TransferSend *send);

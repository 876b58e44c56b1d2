/* SPDX-License-Identifier: MIT
 *
 * sender — walks files and directories and writes them as a stream (stream.h).
 *
 * It goes by descriptors from directory to directory and follows no symlink below the paths it is
 * given, so that a tree that changes meanwhile never leads elsewhere. What cannot be read is
 * reported, and the rest goes on. Files keep their holes, further names of a file are links to the
 * first; devices, sockets and FIFOs are left out with a report.
 *
 * Blocking; one thread. All pointers are borrowed.
 */
#pragma once

#include "stream.h"

typedef struct {
    char *const *paths; /* NULL-terminated; relative ones start in the working directory */
    bool recursive;     /* directories with all that is in them; a symlink is copied as one, unless
                           a slash follows it. Without: a symlink's file */
    TransferWrite write;
    TransferReport report;     /* NULL: reports go into the stream */
    TransferProgress progress; /* may be NULL */
    void *data;                /* of these three */
} TransferSend;

/* 0 when END was written, whatever had to be left out; -ECANCELED; or the -errno of `write`. */
int transfer_send(const TransferSend *send);

/* SPDX-License-Identifier: MIT
 *
 * transferring — a sender and a receiver at the two ends of a pipe, and trees to be compared.
 */
#pragma once

#include "transfer/receiver.h"
#include "transfer/sender.h"

#include <glib.h>

typedef struct {
    char *dir; /* of the test's own; "from" and "to" are in it */
    char *from;
    char *to;
    GPtrArray *reports; /* "STEP ERROR path below dir" */
    guint64 done;       /* bytes, as the receiver told them */
    guint64 cancel_at;  /* the receiver cancels at so many; 0: never */
} Transferring;

void transferring_set_up(Transferring *test, gconstpointer data);
void transferring_tear_down(Transferring *test, gconstpointer data);

/* Send @path, below dir as @target is; what the receiver returns. */
int transferring_run(Transferring *test, const char *path, bool recursive, const char *target);
int transferring_run_all(Transferring *test, const char *const *paths, bool recursive,
                         const char *target);

/* Receive @bytes, of a stream, into @target. */
int transferring_receive(Transferring *test, const WireBuffer *bytes, const char *target);

/* A stream of one's own: fields are put between begin and end. */
size_t transferring_begin(WireBuffer *stream, TransferType type);
void transferring_end(WireBuffer *stream, size_t begin);
void transferring_put(WireBuffer *stream, TransferType type);
void transferring_put_begin(WireBuffer *stream);
void transferring_put_named(WireBuffer *stream, TransferType type, mode_t mode, const char *name);
void transferring_put_file(WireBuffer *stream, const char *name, const char *content);

/* The reports so far, joined by "; ", which are forgotten. Free with g_free. */
char *transferring_reports(Transferring *test);

/* All below @path, a line each: type, mode, times, links within, extended attributes, content. Free
 * with g_free. */
char *transferring_describe(const char *path);

/* A path below dir; borrowed until the test's end. */
const char *transferring_path(Transferring *test, const char *name);

/* SPDX-License-Identifier: MIT
 *
 * handles — the files and directories that the guest has open.
 *
 * The guest names a handle by a number, which may be invalid. Its file is closed at its release,
 * which waits for the requests that use it. A ledger has the handles too, for the next server. Safe
 * from any thread.
 */
#pragma once

#include "ledger.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthHandles BerthHandles;

typedef struct {
    int fd;       /* owned; -1: its file was not found again by this server, or its lock was lost */
    guint64 node; /* of the file */
    int root;     /* index of the share that it was opened in, or -1 */
    bool is_directory;
    bool is_writable;
    bool is_appending;  /* O_APPEND */
    bool has_lost_lock; /* another program has it: the guest must not go on */
    bool is_protected; /* the file may be the host's and must not change, not even by this handle */
    GMutex position;   /* of a directory: held from lseek to the last getdents */
    GPtrArray
        *entries; /* of a directory with an overlay, under position: as its first read found */
    /*< private >*/
    BerthHandles *table;
    guint64 number;
    guint record; /* in the ledger */
    guint flags;  /* in the ledger */
    gint references;
} BerthHandle;

/* At most BERTH_LEDGER_HANDLES at a time; their numbers follow the ledger's offset. @ledger is
 * borrowed. */
BerthHandles *berth_handles_new(BerthLedger *ledger);
void berth_handles_free(BerthHandles *handles);

/* Takes @fd, which was opened with @flags (open's) in the share @root. Its number, or 0 when there
 * are too many (@fd is closed then). */
guint64 berth_handles_add(BerthHandles *handles, int fd, guint64 node, int root, bool is_directory,
                          bool is_writable, bool is_protected, int flags);

/* Open @node with @flags again: a descriptor, or -errno. *@ret_root is its share's, or -1. */
typedef int (*BerthHandlesOpen)(guint64 node, bool is_directory, bool is_writable, int flags,
                                int *ret_root, gpointer user_data);

/* Open what the ledger has of a former server, and take flock's locks of it again. */
void berth_handles_restore(BerthHandles *handles, BerthHandlesOpen open, gpointer user_data);

/* The handle @number, to be given back with berth_handle_unref; NULL: there is none. */
BerthHandle *berth_handles_get(BerthHandles *handles, guint64 number);
void berth_handle_unref(BerthHandle *handle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHandle, berth_handle_unref)

/* A handle of @node, to be given back; NULL: it is not open. Prefers a writable one if asked to. */
BerthHandle *berth_handles_find(BerthHandles *handles, guint64 node, bool writable);

/* The file of @node is @path_fd (O_PATH) from now on: those that read it do so there, with the
 * numbers and flags that they have. */
void berth_handles_move(BerthHandles *handles, guint64 node, int path_fd);

/* Record flock's lock of the handle @number, or its end, for the next server. */
void berth_handles_set_flock(BerthHandles *handles, guint64 number, int operation);

/* The handles of @node are of no more use: they have lost a lock. */
void berth_handles_lose_lock(BerthHandles *handles, guint64 node);

/* Writes by handles of @node fail with EBADF from now on: they have @fd (O_PATH) instead. */
void berth_handles_end_writing(BerthHandles *handles, guint64 node, int fd);

/* The guest has closed it: close the file. A request may have been answered, and not yet have given
 * its handle back. The caller has none of this handle. */
void berth_handles_release(BerthHandles *handles, guint64 number);

G_END_DECLS

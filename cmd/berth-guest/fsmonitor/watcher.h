/* SPDX-License-Identifier: MIT
 *
 * watcher — follows all changes in a worktree by inotify, except those in its .git.
 *
 * Every directory is watched before it is read. What cannot be followed exactly makes the watcher
 * begin anew or give up; it never leaves a change out. Paths are relative to the worktree.
 */
#pragma once

#include "journal.h"

#include "wire/settle.h"

#include <sys/types.h>

typedef struct {
    char **paths;
    size_t count;
} PathList;

typedef struct {
    int root;    /* the worktree's directory; the caller's */
    int inotify; /* -1: not watching */
    dev_t device;
    bool on_share;      /* of berth's; else on a file system of this machine's own */
    WireSettle settled; /* when the watches began */
    PathList watches;   /* by inotify's number of the watch; or NULL */
    PathList unseen;    /* always reported: nested repositories, and what cannot be read */
    PathList pending;   /* directories to scan */
    int problem;        /* -errno: it has given up */
    Journal journal;
} Watcher;

/* Prepare @watcher for the directory @root. False: changes on its file system cannot be followed
 * exactly, as those on network file systems. */
bool watcher_init(Watcher *watcher, int root);

/* Read what has happened. */
void watcher_read(Watcher *watcher);

/* Write the answer to @token (journal.h): all changes that ended before the call are in it, those
 * that the host made in a share, too. */
void watcher_answer(Watcher *watcher, const char *token, FILE *to);

/* Write the answer that is always right: every file may have changed. Its token matches no
 * watcher. */
void watcher_answer_everything(FILE *to);

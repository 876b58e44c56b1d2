/* SPDX-License-Identifier: MIT
 *
 * read_ahead — what was read of an input for a command that did not want it goes back: the offset
 * of a file is set to the first byte that the command has not taken. Whoever shares the file, a
 * loop of a shell, goes on there. A pipe cannot be given anything back.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    int fd;        /* borrowed; -1: no file */
    guint64 read;  /* bytes */
    guint64 taken; /* of these, by the command */
    bool known;    /* whether that is so */
} BerthReadAhead;

/* @fd may be -1. */
void berth_read_ahead_init(BerthReadAhead *ahead, int fd);

/* The command has ended. Nothing happens while it is not known what it has taken. */
void berth_read_ahead_restore(const BerthReadAhead *ahead);

G_END_DECLS

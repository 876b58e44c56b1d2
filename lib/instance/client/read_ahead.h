/* SPDX-License-Identifier: MIT
 *
 * read_ahead — gives back input that was read ahead: seeks a file to the first byte the command has
 * not read, so that another reader of the open file (a shell's loop) continues there. Bytes of a
 * pipe are lost.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    int fd;        /* borrowed; -1: no file */
    guint64 read;  /* bytes */
    guint64 taken; /* of these, read by the command */
    bool known;    /* whether taken is known */
} BerthReadAhead;

/* @fd may be -1. */
void berth_read_ahead_init(BerthReadAhead *ahead, int fd);

/* Call when the command has ended. No-op unless taken is known. */
void berth_read_ahead_restore(const BerthReadAhead *ahead);

G_END_DECLS

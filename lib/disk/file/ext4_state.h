/* SPDX-License-Identifier: MIT
 *
 * ext4_state — what the superblock of an ext4 image says. Reads that and nothing else, so that
 * berth itself may.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    guint block_size;    /* bytes */
    guint64 size;        /* of the file system, bytes; the file may be larger */
    bool needs_recovery; /* the journal holds changes that are not in their places yet */
    bool has_errors;     /* the kernel found damage */
    guint8 uuid[16];
} BerthExt4State;

/* Read the superblock of the image @fd, called @what in messages.
 * Errors: BERTH_ERROR_INVALID, "disk.not-ext4"; errno's, "disk.read.*". */
bool berth_ext4_read_state(int fd, const char *what, BerthExt4State *ret_state, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * ext4_state — reads the superblock of an ext4 image and nothing else: berth itself, which parses
 * no file system, may use it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    guint block_size;    /* bytes */
    guint64 size;        /* of the file system, bytes; the file may be larger */
    bool needs_recovery; /* the journal must be replayed */
    bool has_errors;     /* the kernel marked it damaged (EXT2_ERROR_FS) */
    guint8 uuid[16];
} BerthExt4State;

/* Read the superblock of @fd; @what names it in messages. Errors: BERTH_ERROR_INVALID,
 * "disk.not-ext4"; errno's, "disk.read.*". */
bool berth_ext4_state_read(int fd, const char *what, BerthExt4State *ret_state, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * guest_file — a part of a file of a distro, or a new content for it, over a session with berth's
 * own program there (cmd/berth-guest/copy/file.h): the distro needs no tools.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    int connection;   /* of berth_start_connect; for one call */
    const char *name; /* of the distro, for messages */
    const char *user; /* NULL: the default user */
    const char *path; /* a relative one starts in the user's home */
} BerthGuestFile;

/* Write the size of the file in decimal, a newline and up to @limit bytes from @offset to @output.
 * The guest may write anything: the caller bounds what it keeps. Errors: "file.open.*",
 * "file.special", "file.read.*", "file.old-guest", "file.protocol"; "session.*". */
bool berth_guest_file_read(const BerthGuestFile *file, guint64 offset, guint64 limit, int output,
                           GError **error);

/* Replace the file at once with the @size bytes that @input gives. Errors: also "file.write.*",
 * "file.input". */
bool berth_guest_file_write(const BerthGuestFile *file, int input, guint64 size, GError **error);

G_END_DECLS

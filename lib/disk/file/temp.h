/* SPDX-License-Identifier: MIT
 *
 * temp — a new file that appears under its name only when it is complete.
 *
 * Until berth_temp_commit() the file has no name at all (O_TMPFILE): a crash, a kill or a power cut
 * leaves nothing. On file systems that cannot do that it is called ".NAME.import-PID" and locked;
 * such files that nobody holds are removed by the next berth_temp_new() in the directory.
 *
 * Ownership: freeing a file that was not committed deletes it. Errors: "import.create.*", or
 * another work's; BERTH_ERROR_EXISTS when the name is taken, at the beginning or at the end.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthTemp BerthTemp;

typedef enum {
    BERTH_TEMP_DEFAULT,
    BERTH_TEMP_NAMED,   /* do not try O_TMPFILE: for tests of the other way */
    BERTH_TEMP_REPLACE, /* take the place of the file that has the name, in one step */
} BerthTempFlags;

BerthTemp *berth_temp_new(const char *path, BerthTempFlags flags, GError **error);

/* For another @work than "import", with whose name the ids of errors begin. */
BerthTemp *berth_temp_new_for(const char *work, const char *path, BerthTempFlags flags,
                              GError **error);
void berth_temp_free(BerthTemp *temp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthTemp, berth_temp_free)

/* Open for reading and writing; borrowed. */
int berth_temp_fd(const BerthTemp *temp);

/* Sync the content, give the file its name, sync the directory. */
bool berth_temp_commit(BerthTemp *temp, GError **error);

G_END_DECLS

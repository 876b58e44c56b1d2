/* SPDX-License-Identifier: MIT
 *
 * temp — a new file that gets its name only when it is complete.
 *
 * Until berth_temp_commit() the file is unnamed (O_TMPFILE), so a crash or power cut leaves
 * nothing. On file systems without O_TMPFILE it is ".NAME.import-PID" and locked; the next
 * berth_temp_new() in the directory removes such files that nobody has locked.
 *
 * Freeing an uncommitted file deletes it. Errors: "<work>.create.*"; BERTH_ERROR_EXISTS when the
 * name exists, checked at creation and at commit.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthTemp BerthTemp;

typedef enum {
    BERTH_TEMP_DEFAULT,
    BERTH_TEMP_NAMED,   /* do not use O_TMPFILE, for tests of the fallback */
    BERTH_TEMP_REPLACE, /* atomically replace an existing file */
    BERTH_TEMP_CACHE,   /* the same, not synced: for files that are checked before each use */
} BerthTempFlags;

BerthTemp *berth_temp_new(const char *path, BerthTempFlags flags, GError **error);

/* As berth_temp_new with the prefix @work of error ids instead of "import". */
BerthTemp *berth_temp_new_for(const char *work, const char *path, BerthTempFlags flags,
                              GError **error);
void berth_temp_free(BerthTemp *temp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthTemp, berth_temp_free)

/* The number of named files in @directory whose processes were killed; removes nothing. */
guint berth_temp_count_left(const char *directory);

/* Remove such files, unless they are locked. Returns their number. */
guint berth_temp_sweep(const char *directory);

/* Open read-write; borrowed. */
int berth_temp_fd(const BerthTemp *temp);

/* Sync the content, give the file its name, sync the directory. */
bool berth_temp_commit(BerthTemp *temp, GError **error);

G_END_DECLS

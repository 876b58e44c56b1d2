/* SPDX-License-Identifier: MIT
 *
 * registry_private — shared by the files of the registry only.
 *
 *     registry_file.c     the file: opening, schema and migrations, statements, errors
 *     registry.c          the distros
 *     registry_forward.c  their forwards
 *     registry_host.c     host ports that distros may reach
 *     registry_share.c    directories of the host that distros see
 *     registry_snapshot.c copies of their disks
 */
#pragma once

#include "registry.h"

#include <sqlite3.h>

G_BEGIN_DECLS

struct BerthRegistry {
    sqlite3 *db;
    char *path;
    bool read_only;
    bool no_space; /* the reason for read_only */
    bool looks;    /* must not write anything beside the file, either */
};

/* Set @error from @result, an SQLite result code. */
void berth_registry_set_result(GError **error, const BerthRegistry *registry, int result);

/* Set @error to "distro.not-found" for @name. Always false. */
bool berth_registry_set_not_found(GError **error, const char *name);

bool berth_registry_execute(BerthRegistry *registry, const char *sql, GError **error);

/* Prepare a statement whose first parameters are @first and @second, unless NULL. */
sqlite3_stmt *berth_registry_prepare(BerthRegistry *registry, const char *sql, const char *first,
                                     const char *second, GError **error);

/* Step the statement: SQLITE_ROW or SQLITE_DONE; any other result sets @error. */
int berth_registry_step(BerthRegistry *registry, sqlite3_stmt *statement, GError **error);

/* A transaction that is rolled back at the end of the scope unless committed. */
typedef struct {
    BerthRegistry *registry; /* NULL when there is nothing to roll back */
} BerthTransaction;

bool berth_registry_begin(BerthTransaction *transaction, BerthRegistry *registry, GError **error);
bool berth_registry_commit(BerthTransaction *transaction, GError **error);
void berth_registry_roll_back(BerthTransaction *transaction);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthTransaction, berth_registry_roll_back)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * registry_private — what the files of the registry share. Not for others.
 *
 *     registry.c       the file, its schema, and the distros
 *     registry_host.c  the ports of the host that distros may reach
 */
#pragma once

#include "registry.h"

#include <sqlite3.h>

G_BEGIN_DECLS

/* A statement whose first parameters are @first and @second, as far as they are not NULL. */
sqlite3_stmt *berth_registry_prepare(BerthRegistry *registry, const char *sql, const char *first,
                                     const char *second, GError **error);

/* SQLITE_ROW or SQLITE_DONE; anything else is an error and @error is set. */
int berth_registry_step(BerthRegistry *registry, sqlite3_stmt *statement, GError **error);

/* How many rows the last statement changed. */
int berth_registry_changes(const BerthRegistry *registry);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

G_END_DECLS

/* SPDX-License-Identifier: MIT */
#include "registry_private.h"

#include "base/error.h"

/* Set @error after a failed INSERT. Always false. */
static bool set_refused(GError **error, BerthRegistry *registry, const BerthSnapshot *snapshot,
                        int result)
{
    switch (sqlite3_extended_errcode(registry->db)) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_UNIQUE:
        berth_error_set(error, BERTH_ERROR_EXISTS, "snapshot.exists",
                        "choose another name, or remove the other first: berth snapshot --remove "
                        "NAME TAG",
                        "there is a snapshot called %s already", snapshot->tag);
        return false;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return berth_registry_set_not_found(error, snapshot->distro);
    default:
        berth_registry_set_result(error, registry, result);
        return false;
    }
}

bool berth_registry_add_snapshot(BerthRegistry *registry, const BerthSnapshot *snapshot,
                                 GError **error)
{
    g_autoptr(sqlite3_stmt) statement =
        berth_registry_prepare(registry, "INSERT INTO snapshot VALUES (?1, ?2, ?3, ?4, ?5)",
                               snapshot->distro, snapshot->tag, error);
    if (statement == NULL)
        return false;
    sqlite3_bind_text(statement, 3, snapshot->suffix, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, snapshot->taken_usec);
    sqlite3_bind_int(statement, 5, snapshot->automatic);
    int result = sqlite3_step(statement);
    return result == SQLITE_DONE || set_refused(error, registry, snapshot, result);
}

/* Run @sql, a change with one or two parameters. */
static bool change(BerthRegistry *registry, const char *sql, const char *first, const char *second,
                   GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(registry, sql, first, second, error);
    return statement != NULL && berth_registry_step(registry, statement, error) == SQLITE_DONE;
}

bool berth_registry_remove_snapshot(BerthRegistry *registry, const BerthSnapshot *snapshot,
                                    GError **error)
{
    return change(registry, "DELETE FROM snapshot WHERE distro = ?1 AND suffix = ?2",
                  snapshot->distro, snapshot->suffix, error);
}

bool berth_registry_remove_snapshot_at(BerthRegistry *registry, const char *path, GError **error)
{
    return change(registry,
                  "DELETE FROM snapshot WHERE (SELECT disk FROM distro WHERE id = snapshot.distro)"
                  " || '@' || suffix = ?1",
                  path, NULL, error);
}

static bool rename_snapshot(BerthRegistry *registry, const BerthSnapshot *snapshot, const char *tag,
                            GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(
        registry, "UPDATE snapshot SET tag = ?3 WHERE distro = ?1 AND suffix = ?2",
        snapshot->distro, snapshot->suffix, error);
    if (statement == NULL)
        return false;
    sqlite3_bind_text(statement, 3, tag, -1, SQLITE_STATIC);
    int result = sqlite3_step(statement);
    return result == SQLITE_DONE || set_refused(error, registry, snapshot, result);
}

bool berth_registry_settle_snapshot(BerthRegistry *registry, const BerthSnapshot *snapshot,
                                    const char *tag, GError **error)
{
    g_auto(BerthTransaction) transaction = {NULL};
    return berth_registry_begin(&transaction, registry, error) &&
           change(registry,
                  "DELETE FROM snapshot WHERE distro = ?1 AND automatic AND suffix <> ?2"
                  " AND tag NOT LIKE '" BERTH_SNAPSHOT_CHECKPOINT "%'",
                  snapshot->distro, snapshot->suffix, error) &&
           rename_snapshot(registry, snapshot, tag, error) &&
           berth_registry_commit(&transaction, error);
}

static BerthSnapshot *read_row(sqlite3_stmt *row)
{
    BerthSnapshot *snapshot = g_new0(BerthSnapshot, 1);
    snapshot->distro = g_strdup((const char *)sqlite3_column_text(row, 0));
    snapshot->tag = g_strdup((const char *)sqlite3_column_text(row, 1));
    snapshot->suffix = g_strdup((const char *)sqlite3_column_text(row, 2));
    snapshot->taken_usec = sqlite3_column_int64(row, 3);
    snapshot->automatic = sqlite3_column_int(row, 4) != 0;
    return snapshot;
}

GPtrArray *berth_registry_snapshots(BerthRegistry *registry, const BerthDistro *distro,
                                    GError **error)
{
    g_autoptr(sqlite3_stmt) statement =
        berth_registry_prepare(registry,
                               "SELECT distro, tag, suffix, taken_usec, automatic FROM snapshot"
                               " WHERE ?1 IS NULL OR distro = ?1 ORDER BY taken_usec, suffix",
                               distro != NULL ? distro->id : NULL, NULL, error);
    if (statement == NULL)
        return NULL;
    g_autoptr(GPtrArray) snapshots =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_snapshot_free);
    int result;
    while ((result = berth_registry_step(registry, statement, error)) == SQLITE_ROW)
        g_ptr_array_add(snapshots, read_row(statement));
    return result == SQLITE_DONE ? g_steal_pointer(&snapshots) : NULL;
}

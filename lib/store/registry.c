/* SPDX-License-Identifier: MIT */
#include "registry_private.h"

#include "base/error.h"

/* In the order of read_row and bind_row. */
#define COLUMNS                                                                                    \
    "id, name, disk, disk_size, created_usec, is_default, own_identity, "                          \
    "keep_disk, account, account_uid, oobe, template, number"

/* A row of forward in the syntax of model/rule.h. */
#define RULE                                                                                       \
    "CASE WHEN host_address = '' THEN '' WHEN host_address LIKE '%:%'"                             \
    " THEN '[' || host_address || ']:' ELSE host_address || ':' END"                               \
    " || host_port || ':' || guest_port || CASE protocol WHEN 'udp' THEN '/udp' ELSE '' END"

/* The beginning of a query for read_row. */
#define SELECT_DISTRO                                                                              \
    "SELECT " COLUMNS ", (SELECT group_concat(rule, ';') FROM (SELECT " RULE " AS rule"            \
    " FROM forward WHERE forward.distro = distro.id"                                               \
    " ORDER BY guest_port, protocol, host_port, host_address)) FROM distro "

/* The smallest free slot, or 0. */
#define FREE_SLOT                                                                                  \
    "(SELECT coalesce(min(n), 0) FROM"                                                             \
    " (SELECT 1 AS n UNION SELECT number + 1 FROM distro WHERE number BETWEEN 1 AND 253)"          \
    " WHERE n NOT IN (SELECT number FROM distro))"

static BerthDistro *read_row(sqlite3_stmt *row)
{
    BerthDistro *distro = g_new0(BerthDistro, 1);
    distro->id = g_strdup((const char *)sqlite3_column_text(row, 0));
    distro->name = g_strdup((const char *)sqlite3_column_text(row, 1));
    distro->disk = g_strdup((const char *)sqlite3_column_text(row, 2));
    distro->disk_size = (guint64)sqlite3_column_int64(row, 3);
    distro->created_usec = sqlite3_column_int64(row, 4);
    distro->is_default = sqlite3_column_int(row, 5) != 0;
    distro->own_identity = sqlite3_column_int(row, 6) != 0;
    distro->keep_disk = sqlite3_column_int(row, 7) != 0;
    distro->account = g_strdup((const char *)sqlite3_column_text(row, 8));
    distro->account_uid = (guint)sqlite3_column_int64(row, 9);
    distro->oobe = sqlite3_column_int(row, 10) != 0;
    distro->template = g_strdup((const char *)sqlite3_column_text(row, 11));
    distro->slot = (guint)sqlite3_column_int(row, 12);
    distro->forwards = g_strdup((const char *)sqlite3_column_text(row, 13));
    return distro;
}

static void bind_row(sqlite3_stmt *statement, const BerthDistro *distro)
{
    sqlite3_bind_text(statement, 1, distro->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, distro->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, distro->disk, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, (gint64)distro->disk_size);
    sqlite3_bind_int64(statement, 5, distro->created_usec);
    sqlite3_bind_int(statement, 6, distro->own_identity);
    sqlite3_bind_int(statement, 7, distro->keep_disk);
    sqlite3_bind_text(statement, 8, distro->account, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 9, distro->account_uid);
    sqlite3_bind_int(statement, 10, distro->oobe);
    sqlite3_bind_text(statement, 11, distro->template, -1, SQLITE_STATIC);
}

static bool set_exists(GError **error, const char *name)
{
    berth_error_set(error, BERTH_ERROR_EXISTS, "registry.exists",
                    "choose another name, or remove the other first: berth unregister NAME",
                    "there is a distro called %s already", name);
    return false;
}

bool berth_registry_set_not_found(GError **error, const char *name)
{
    g_autofree char *shown = g_strescape(name, NULL);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "distro.not-found",
                    "\"berth list\" shows the distros", "there is no distro called %.80s", shown);
    return false;
}

bool berth_registry_insert(BerthRegistry *registry, const BerthDistro *distro, GError **error)
{
    g_autoptr(sqlite3_stmt) statement =
        berth_registry_prepare(registry,
                               "INSERT INTO distro (" COLUMNS ")"
                               " SELECT ?1, ?2, ?3, ?4, ?5, ?11 IS NULL AND NOT EXISTS (SELECT 1 "
                               "FROM distro WHERE template IS NULL), ?6, ?7,"
                               " ?8, ?9, ?10, ?11, " FREE_SLOT,
                               NULL, NULL, error);
    if (statement == NULL)
        return false;

    bind_row(statement, distro);
    int result = sqlite3_step(statement);
    if (sqlite3_extended_errcode(registry->db) == SQLITE_CONSTRAINT_UNIQUE)
        return set_exists(error, distro->name);
    if (result == SQLITE_DONE)
        return true;
    berth_registry_set_result(error, registry, result);
    return false;
}

/* Find the row by @sql with the parameter @key. */
static BerthDistro *find_one(BerthRegistry *registry, const char *sql, const char *key,
                             GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(registry, sql, key, NULL, error);
    if (statement == NULL)
        return NULL;

    int result = berth_registry_step(registry, statement, error);
    if (result == SQLITE_ROW)
        return read_row(statement);
    if (result == SQLITE_DONE)
        berth_registry_set_not_found(error, key);
    return NULL;
}

/* Remove the throw-away clones from @distros: none becomes the default by being the only one. */
static void leave_out_clones(GPtrArray *distros)
{
    for (guint i = distros->len; i > 0; i--)
        if (((const BerthDistro *)distros->pdata[i - 1])->template != NULL)
            g_ptr_array_remove_index(distros, i - 1);
}

/* Find the default distro or, without one, the only one. */
static BerthDistro *find_default(BerthRegistry *registry, GError **error)
{
    g_autoptr(GPtrArray) distros = berth_registry_list(registry, error);
    if (distros == NULL)
        return NULL;
    leave_out_clones(distros);
    if (distros->len == 0) {
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "distro.none",
                        "install one: berth install NAME; or from a file: berth import NAME FILE",
                        "there are no distros yet");
        return NULL;
    }

    BerthDistro *first = distros->pdata[0]; /* the list begins with the default */
    if (first->is_default || distros->len == 1)
        return berth_distro_copy(first);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "distro.no-default",
                    "name one with -d NAME, or choose one: berth set-default NAME",
                    "there is no default distro");
    return NULL;
}

BerthDistro *berth_registry_find(BerthRegistry *registry, const char *name, GError **error)
{
    if (name == NULL)
        return find_default(registry, error);
    return find_one(registry, SELECT_DISTRO "WHERE name = ?1", name, error);
}

BerthDistro *berth_registry_find_by_id(BerthRegistry *registry, const char *id, GError **error)
{
    return find_one(registry, SELECT_DISTRO "WHERE id = ?1", id, error);
}

bool berth_registry_has_id(BerthRegistry *registry, const char *id, GError **error)
{
    g_autoptr(sqlite3_stmt) statement =
        berth_registry_prepare(registry, "SELECT 1 FROM distro WHERE id = ?1", id, NULL, error);
    return statement != NULL && berth_registry_step(registry, statement, error) == SQLITE_ROW;
}

bool berth_registry_has_file(BerthRegistry *registry, const char *path, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(
        registry,
        "SELECT 1 FROM distro WHERE disk = ?1 UNION ALL SELECT 1 FROM snapshot JOIN distro"
        " ON distro.id = snapshot.distro WHERE disk || '@' || suffix = ?1",
        path, NULL, error);
    return statement != NULL && berth_registry_step(registry, statement, error) == SQLITE_ROW;
}

/* The rows of @sql, a query for read_row. */
static GPtrArray *list_rows(BerthRegistry *registry, const char *sql, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(registry, sql, NULL, NULL, error);
    if (statement == NULL)
        return NULL;

    g_autoptr(GPtrArray) distros =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_distro_free);
    int result;
    while ((result = berth_registry_step(registry, statement, error)) == SQLITE_ROW)
        g_ptr_array_add(distros, read_row(statement));
    return result == SQLITE_DONE ? g_steal_pointer(&distros) : NULL;
}

GPtrArray *berth_registry_list(BerthRegistry *registry, GError **error)
{
    return list_rows(registry, SELECT_DISTRO "ORDER BY is_default DESC, name", error);
}

GPtrArray *berth_registry_list_clones(BerthRegistry *registry, GError **error)
{
    return list_rows(registry, SELECT_DISTRO "WHERE template IS NOT NULL", error);
}

/* Run @sql, which changes the row called @name, its first parameter. */
static bool change_row(BerthRegistry *registry, const char *sql, const char *name,
                       const char *second, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(registry, sql, name, second, error);
    if (statement == NULL)
        return false;

    int result = sqlite3_step(statement);
    if (sqlite3_extended_errcode(registry->db) == SQLITE_CONSTRAINT_UNIQUE)
        return set_exists(error, second);
    if (result != SQLITE_DONE) {
        berth_registry_set_result(error, registry, result);
        return false;
    }
    return sqlite3_changes(registry->db) == 1 || berth_registry_set_not_found(error, name);
}

bool berth_registry_remove(BerthRegistry *registry, const char *name, GError **error)
{
    return change_row(registry, "DELETE FROM distro WHERE name = ?1", name, NULL, error);
}

bool berth_registry_set_default(BerthRegistry *registry, const char *name, GError **error)
{
    g_auto(BerthTransaction) transaction = {NULL};
    return berth_registry_begin(&transaction, registry, error) &&
           berth_registry_execute(registry, "UPDATE distro SET is_default = 0 WHERE is_default",
                                  error) &&
           change_row(registry, "UPDATE distro SET is_default = 1 WHERE name = ?1", name, NULL,
                      error) &&
           berth_registry_commit(&transaction, error);
}

bool berth_registry_rename(BerthRegistry *registry, const char *name, const char *new_name,
                           GError **error)
{
    return berth_distro_check_name(new_name, error) &&
           change_row(registry, "UPDATE distro SET name = ?2 WHERE name = ?1", name, new_name,
                      error);
}

bool berth_registry_set_disk(BerthRegistry *registry, const BerthDistro *distro, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(
        registry, "UPDATE distro SET disk = ?2, disk_size = ?3 WHERE id = ?1", distro->id,
        distro->disk, error);
    if (statement == NULL)
        return false;
    sqlite3_bind_int64(statement, 3, (gint64)distro->disk_size);
    return berth_registry_step(registry, statement, error) == SQLITE_DONE &&
           (sqlite3_changes(registry->db) == 1 ||
            berth_registry_set_not_found(error, distro->name));
}

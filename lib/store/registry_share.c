/* SPDX-License-Identifier: MIT */
#include "registry_private.h"

#include "base/error.h"

/* Set @error: the target of @share is @other's, or one is below the other. Always false. */
static bool refuse(const BerthDistro *distro, const BerthShare *share, const BerthShare *other,
                   GError **error)
{
    bool same = g_str_equal(share->target, other->target);
    g_autofree char *hint =
        same ? g_strdup_printf("remove the other first: berth share rm %s %s", distro->name,
                               other->target)
             : g_strdup("choose a target that is neither below the other nor above it");
    berth_error_set(error, BERTH_ERROR_EXISTS, same ? "share.exists" : "share.nested", hint,
                    same ? "%s is a share already: %s" : "%s overlaps the share %s", share->target,
                    same ? other->source : other->target);
    return false;
}

/* Check that no share of @distro overlaps @share. */
static bool check_free(BerthRegistry *registry, const BerthDistro *distro, const BerthShare *share,
                       GError **error)
{
    g_autoptr(GPtrArray) shares = berth_registry_shares(registry, distro, error);
    if (shares == NULL)
        return false;
    for (guint i = 0; i < shares->len; i++)
        if (berth_share_overlaps(share, shares->pdata[i]))
            return refuse(distro, share, shares->pdata[i], error);
    return true;
}

static bool insert(BerthRegistry *registry, const BerthDistro *distro, const BerthShare *share,
                   GError **error)
{
    g_autoptr(sqlite3_stmt) statement =
        berth_registry_prepare(registry, "INSERT INTO share VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                               distro->id, share->target, error);
    if (statement == NULL)
        return false;
    sqlite3_bind_text(statement, 3, share->source, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 4, share->read_only);
    sqlite3_bind_text(statement, 5, share->overlay != NULL ? share->overlay : "", -1,
                      SQLITE_STATIC);
    sqlite3_bind_int64(statement, 6, (gint64)share->quota);
    int result = sqlite3_step(statement);
    if (result == SQLITE_DONE)
        return true;
    if (sqlite3_extended_errcode(registry->db) == SQLITE_CONSTRAINT_FOREIGNKEY)
        return berth_registry_set_not_found(error, distro->name);
    berth_registry_set_result(error, registry, result);
    return false;
}

bool berth_registry_add_share(BerthRegistry *registry, const BerthDistro *distro,
                              const BerthShare *share, GError **error)
{
    g_auto(BerthTransaction) transaction = {NULL};
    return berth_registry_begin(&transaction, registry, error) &&
           check_free(registry, distro, share, error) && insert(registry, distro, share, error) &&
           berth_registry_commit(&transaction, error);
}

static bool set_not_found(const BerthDistro *distro, const char *target, GError **error)
{
    g_autofree char *hint = g_strdup_printf("list them: berth share ls %s", distro->name);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "share.not-found", hint, "there is no share %s",
                    target);
    return false;
}

bool berth_registry_remove_share(BerthRegistry *registry, const BerthDistro *distro,
                                 const char *target, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(
        registry, "DELETE FROM share WHERE distro = ?1 AND target = ?2", distro->id, target, error);
    if (statement == NULL || berth_registry_step(registry, statement, error) != SQLITE_DONE)
        return false;
    if (sqlite3_changes(registry->db) == 1)
        return true;
    return set_not_found(distro, target, error);
}

static BerthShare *read_row(sqlite3_stmt *statement)
{
    const char *overlay = (const char *)sqlite3_column_text(statement, 3);
    BerthShare *share = berth_share_new((const char *)sqlite3_column_text(statement, 0),
                                        (const char *)sqlite3_column_text(statement, 1),
                                        sqlite3_column_int(statement, 2) != 0);
    if (overlay != NULL && *overlay != '\0')
        share->overlay = g_strdup(overlay);
    share->quota = (guint64)sqlite3_column_int64(statement, 4);
    return share;
}

GPtrArray *berth_registry_shares(BerthRegistry *registry, const BerthDistro *distro, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(
        registry,
        "SELECT source, target, read_only, overlay, quota FROM share WHERE distro = ?1 ORDER BY "
        "target",
        distro->id, NULL, error);
    if (statement == NULL)
        return NULL;
    g_autoptr(GPtrArray) shares = g_ptr_array_new_with_free_func((GDestroyNotify)berth_share_free);
    int result;
    while ((result = berth_registry_step(registry, statement, error)) == SQLITE_ROW)
        g_ptr_array_add(shares, read_row(statement));
    return result == SQLITE_DONE ? g_steal_pointer(&shares) : NULL;
}

static bool update(BerthRegistry *registry, const BerthDistro *distro, const BerthShare *share,
                   GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(
        registry,
        "UPDATE share SET read_only = ?3, overlay = ?4, quota = ?5 WHERE distro = ?1 AND target = "
        "?2",
        distro->id, share->target, error);
    if (statement == NULL)
        return false;
    sqlite3_bind_int(statement, 3, share->read_only);
    sqlite3_bind_text(statement, 4, share->overlay != NULL ? share->overlay : "", -1,
                      SQLITE_STATIC);
    sqlite3_bind_int64(statement, 5, (gint64)share->quota);
    return berth_registry_step(registry, statement, error) == SQLITE_DONE;
}

bool berth_registry_edit_share(BerthRegistry *registry, const BerthDistro *distro,
                               const char *target, BerthShareEditor edit, gpointer user_data,
                               GError **error)
{
    g_auto(BerthTransaction) transaction = {NULL};
    if (!berth_registry_begin(&transaction, registry, error))
        return false;
    g_autoptr(GPtrArray) shares = berth_registry_shares(registry, distro, error);
    for (guint i = 0; shares != NULL && i < shares->len; i++) {
        BerthShare *share = shares->pdata[i];
        if (g_str_equal(share->target, target))
            return edit(share, user_data, error) && update(registry, distro, share, error) &&
                   berth_registry_commit(&transaction, error);
    }
    return shares != NULL && set_not_found(distro, target, error);
}

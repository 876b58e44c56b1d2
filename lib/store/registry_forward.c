/* SPDX-License-Identifier: MIT */
#include "registry_private.h"

#include "base/error.h"

/* Prepare @sql, whose parameters are the distro's id, the protocol, the address and the ports of
 * @rule. */
static sqlite3_stmt *prepare_rule(BerthRegistry *registry, const char *sql,
                                  const BerthDistro *distro, const BerthRule *rule, GError **error)
{
    const char *protocol = berth_protocol_word(rule->protocol);
    g_autofree char *address =
        rule->family != 0 ? berth_rule_address_text(rule->family, rule->address) : g_strdup("");
    sqlite3_stmt *statement = berth_registry_prepare(registry, sql, distro->id, protocol, error);
    if (statement == NULL)
        return NULL;
    sqlite3_bind_text(statement, 3, address, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(statement, 4, rule->host_port);
    sqlite3_bind_int(statement, 5, rule->guest_port);
    return statement;
}

bool berth_registry_add_forward(BerthRegistry *registry, const BerthDistro *distro,
                                const BerthRule *rule, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = prepare_rule(
        registry, "INSERT INTO forward VALUES (?1, ?2, ?3, ?4, ?5)", distro, rule, error);
    if (statement == NULL)
        return false;

    int result = sqlite3_step(statement);
    if (result == SQLITE_DONE)
        return true;
    int extended = sqlite3_extended_errcode(registry->db);
    if (extended == SQLITE_CONSTRAINT_FOREIGNKEY)
        return berth_registry_set_not_found(error, distro->name);
    if (extended != SQLITE_CONSTRAINT_PRIMARYKEY) {
        berth_registry_set_result(error, registry, result);
        return false;
    }
    g_autofree char *host = berth_rule_host(rule);
    g_autofree char *hint = g_strdup_printf(
        "\"berth forward list %s\" shows them; remove the other first", distro->name);
    berth_error_set(error, BERTH_ERROR_EXISTS, "forward.exists", hint,
                    "there is a forward of %s port %s already", berth_protocol_word(rule->protocol),
                    host);
    return false;
}

bool berth_registry_remove_forward(BerthRegistry *registry, const BerthDistro *distro,
                                   const BerthRule *rule, GError **error)
{
    g_autoptr(sqlite3_stmt) statement =
        prepare_rule(registry,
                     "DELETE FROM forward WHERE distro = ?1 AND protocol = ?2 AND"
                     " host_address = ?3 AND host_port = ?4 AND guest_port = ?5",
                     distro, rule, error);
    if (statement == NULL || berth_registry_step(registry, statement, error) != SQLITE_DONE)
        return false;
    if (sqlite3_changes(registry->db) == 1)
        return true;
    g_autofree char *text = berth_rule_format(rule);
    g_autofree char *hint = g_strdup_printf("\"berth forward list %s\" shows them", distro->name);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "forward.not-found", hint,
                    "there is no forward %s", text);
    return false;
}

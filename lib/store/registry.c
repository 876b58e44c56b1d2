/* SPDX-License-Identifier: MIT */
#include "registry_private.h"

#include "base/error.h"

#include <unistd.h>

#define BUSY_TIMEOUT_MSEC 10000
#define APPLICATION_ID    0x62727468 /* "brth", in the header of the file */
#define WAL_ATTEMPTS      100

/* The schema's history: entry N leads from version N (PRAGMA user_version) to N + 1. Entries are
 * never changed once released; append. */
static const char *const migrations[] = {
    "PRAGMA application_id = 1651668072;"
    "CREATE TABLE distro ("
    "  id TEXT PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE COLLATE NOCASE,"
    "  disk TEXT NOT NULL,"
    "  disk_size INTEGER NOT NULL," /* bytes */
    "  user TEXT,"                  /* NULL: root */
    "  memory INTEGER NOT NULL,"    /* bytes, 0: the setting */
    "  cpus INTEGER NOT NULL,"      /* 0: the setting */
    "  created_usec INTEGER NOT NULL,"
    "  is_default INTEGER NOT NULL CHECK (is_default IN (0, 1))"
    ") STRICT;"
    "CREATE UNIQUE INDEX distro_default ON distro (is_default) WHERE is_default;",

    "ALTER TABLE distro ADD COLUMN own_identity INTEGER NOT NULL DEFAULT 0"
    "  CHECK (own_identity IN (0, 1));",

    "ALTER TABLE distro ADD COLUMN keep_disk INTEGER NOT NULL DEFAULT 0"
    "  CHECK (keep_disk IN (0, 1));",

    "ALTER TABLE distro ADD COLUMN account TEXT;" /* NULL: none is to be made */
    "ALTER TABLE distro ADD COLUMN account_uid INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE distro ADD COLUMN oobe INTEGER NOT NULL DEFAULT 0 CHECK (oobe IN (0, 1));",

    "ALTER TABLE distro ADD COLUMN number INTEGER NOT NULL DEFAULT 0" /* 0: there was none left */
    "  CHECK (number BETWEEN 0 AND 254);"
    "UPDATE distro SET number = (SELECT count(*) FROM distro AS o WHERE o.rowid <= distro.rowid)"
    "  WHERE (SELECT count(*) FROM distro AS o WHERE o.rowid <= distro.rowid) <= 254;"
    "CREATE UNIQUE INDEX distro_number ON distro (number) WHERE number > 0;"
    "CREATE TABLE forward ("
    "  distro TEXT NOT NULL REFERENCES distro (id) ON DELETE CASCADE,"
    "  protocol TEXT NOT NULL CHECK (protocol IN ('tcp', 'udp')),"
    "  host_address TEXT NOT NULL," /* '': localhost */
    "  host_port INTEGER NOT NULL CHECK (host_port BETWEEN 1 AND 65535),"
    "  guest_port INTEGER NOT NULL CHECK (guest_port BETWEEN 1 AND 65535),"
    "  PRIMARY KEY (distro, protocol, host_address, host_port)"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE host_port (" /* of the host, that distros may reach; 0: all of them */
    "  distro TEXT NOT NULL REFERENCES distro (id) ON DELETE CASCADE,"
    "  port INTEGER NOT NULL CHECK (port BETWEEN 0 AND 65535),"
    "  PRIMARY KEY (distro, port)"
    ") STRICT, WITHOUT ROWID;",
};
G_STATIC_ASSERT(APPLICATION_ID == 1651668072);

/* The order read_row and bind_row know. */
#define COLUMNS                                                                                    \
    "id, name, disk, disk_size, user, memory, cpus, created_usec, is_default, own_identity, "      \
    "keep_disk, account, account_uid, oobe, number"

/* A row of forward as model/rule.h writes it. */
#define RULE                                                                                       \
    "CASE WHEN host_address = '' THEN '' WHEN host_address LIKE '%:%'"                             \
    " THEN '[' || host_address || ']:' ELSE host_address || ':' END"                               \
    " || host_port || ':' || guest_port || CASE protocol WHEN 'udp' THEN '/udp' ELSE '' END"

/* What read_row knows, of the distros that are meant. */
#define SELECT_DISTRO                                                                              \
    "SELECT " COLUMNS ", (SELECT group_concat(rule, ';') FROM (SELECT " RULE " AS rule"            \
    " FROM forward WHERE forward.distro = distro.id"                                               \
    " ORDER BY guest_port, protocol, host_port, host_address)) FROM distro "

/* The smallest number no distro has, or 0. */
#define FREE_NUMBER                                                                                \
    "(SELECT coalesce(min(n), 0) FROM"                                                             \
    " (SELECT 1 AS n UNION SELECT number + 1 FROM distro WHERE number BETWEEN 1 AND 253)"          \
    " WHERE n NOT IN (SELECT number FROM distro))"

struct BerthRegistry {
    sqlite3 *db;
    char *path;
    bool read_only;
};

static const struct {
    int result; /* primary result code */
    BerthErrorCode code;
    const char *id;
    const char *words;
    const char *hint;
} result_table[] = {
    {SQLITE_BUSY, BERTH_ERROR_BUSY, "registry.busy", "another berth is holding it", "try again"},
    {SQLITE_LOCKED, BERTH_ERROR_BUSY, "registry.busy", "another berth is holding it", "try again"},
    {SQLITE_FULL, BERTH_ERROR_NO_SPACE, "registry.no-space", "no space left on device",
     "free some space"},
    {SQLITE_PERM, BERTH_ERROR_DENIED, "registry.denied", "permission denied", NULL},
    {SQLITE_READONLY, BERTH_ERROR_DENIED, "registry.denied", "it cannot be written", NULL},
    {SQLITE_NOTADB, BERTH_ERROR_INVALID, "registry.corrupt", "damaged, or not a registry",
     "move it away and import the distros again; their disks are in distros/ beside it"},
    {SQLITE_CORRUPT, BERTH_ERROR_INVALID, "registry.corrupt", "damaged, or not a registry",
     "move it away and import the distros again; their disks are in distros/ beside it"},
};

static void set_result(GError **error, const BerthRegistry *registry, int result)
{
    for (gsize i = 0; i < G_N_ELEMENTS(result_table); i++) {
        if (result_table[i].result != (result & 0xff))
            continue;
        berth_error_set(error, result_table[i].code, result_table[i].id, result_table[i].hint,
                        "%s: %s", registry->path, result_table[i].words);
        return;
    }

    int errnum = registry->db != NULL ? sqlite3_system_errno(registry->db) : 0;
    bool system = (result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN;
    if (system && errnum != 0)
        berth_error_set_errno(error, errnum, "registry", "%s", registry->path);
    else
        berth_error_set(error, BERTH_ERROR_FAILED, "registry.failed", NULL, "%s: %s",
                        registry->path, sqlite3_errstr(result));
}

static bool execute(BerthRegistry *registry, const char *sql, GError **error)
{
    int result = sqlite3_exec(registry->db, sql, NULL, NULL, NULL);
    if (result == SQLITE_OK)
        return true;
    set_result(error, registry, result);
    return false;
}

/* A statement whose first parameters are @first and @second, as far as they are not NULL. */
static sqlite3_stmt *prepare(BerthRegistry *registry, const char *sql, const char *first,
                             const char *second, GError **error)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(registry->db, sql, -1, &statement, NULL);
    if (result != SQLITE_OK) {
        set_result(error, registry, result);
        return NULL;
    }
    if (first != NULL)
        sqlite3_bind_text(statement, 1, first, -1, SQLITE_TRANSIENT);
    if (second != NULL)
        sqlite3_bind_text(statement, 2, second, -1, SQLITE_TRANSIENT);
    return statement;
}

/* SQLITE_ROW or SQLITE_DONE; anything else is an error and @error is set. */
static int step(BerthRegistry *registry, sqlite3_stmt *statement, GError **error)
{
    int result = sqlite3_step(statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        set_result(error, registry, result);
    return result;
}

/* A transaction that is undone at the end of the scope unless it was committed. */
typedef struct {
    BerthRegistry *registry; /* NULL when there is nothing to undo */
} Transaction;

static bool transaction_begin(Transaction *transaction, BerthRegistry *registry, GError **error)
{
    if (!execute(registry, "BEGIN IMMEDIATE", error))
        return false;
    transaction->registry = registry;
    return true;
}

static bool transaction_commit(Transaction *transaction, GError **error)
{
    if (!execute(transaction->registry, "COMMIT", error))
        return false;
    transaction->registry = NULL;
    return true;
}

static void transaction_clear(Transaction *transaction)
{
    if (transaction->registry != NULL)
        sqlite3_exec(transaction->registry->db, "ROLLBACK", NULL, NULL, NULL);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Transaction, transaction_clear)

/* --- opening --- */

typedef struct {
    gint64 version;
    gint64 application;
    gint64 objects; /* tables and indexes */
    bool wal;
} Identity;

/* What the file says it is, in one snapshot. */
static bool read_identity(BerthRegistry *registry, Identity *ret_identity, GError **error)
{
    g_autoptr(sqlite3_stmt) statement =
        prepare(registry,
                "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema),"
                " journal_mode = 'wal'"
                " FROM pragma_user_version, pragma_application_id, pragma_journal_mode",
                NULL, NULL, error);
    if (statement == NULL || step(registry, statement, error) != SQLITE_ROW)
        return false;

    ret_identity->version = sqlite3_column_int64(statement, 0);
    ret_identity->application = sqlite3_column_int64(statement, 1);
    ret_identity->objects = sqlite3_column_int64(statement, 2);
    ret_identity->wal = sqlite3_column_int(statement, 3) != 0;
    return true;
}

static bool check_identity(const BerthRegistry *registry, const Identity *identity, GError **error)
{
    bool fresh = identity->objects == 0 && identity->version == 0;
    if (!fresh && identity->application != APPLICATION_ID) {
        set_result(error, registry, SQLITE_NOTADB);
        return false;
    }
    if (identity->version <= (gint64)G_N_ELEMENTS(migrations))
        return true;
    berth_error_set(
        error, BERTH_ERROR_INVALID, "registry.newer", "use the berth that wrote it, or a newer one",
        "%s: written by a newer berth (version %" G_GINT64_FORMAT ", this one knows %u)",
        registry->path, identity->version, (guint)G_N_ELEMENTS(migrations));
    return false;
}

/* Two processes that switch the journal of a fresh file at once would deadlock, so SQLite tells one
 * of them at once that it is busy. An empty transaction then waits for the other's end. */
static bool switch_to_wal(BerthRegistry *registry, GError **error)
{
    int result = SQLITE_BUSY;
    for (guint i = 0; i < WAL_ATTEMPTS && result == SQLITE_BUSY; i++) {
        result = sqlite3_exec(registry->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (result == SQLITE_BUSY && !execute(registry, "BEGIN IMMEDIATE; COMMIT", error))
            return false;
    }
    if (result == SQLITE_OK)
        return true;
    set_result(error, registry, result);
    return false;
}

static bool migrate_once(BerthRegistry *registry, gint64 *version, GError **error)
{
    g_auto(Transaction) transaction = {NULL};
    Identity now;
    if (!transaction_begin(&transaction, registry, error) ||
        !read_identity(registry, &now, error) || !check_identity(registry, &now, error))
        return false;

    *version = now.version;
    if (now.version == (gint64)G_N_ELEMENTS(migrations))
        return true;

    g_autofree char *stamp =
        g_strdup_printf("PRAGMA user_version = %" G_GINT64_FORMAT, now.version + 1);
    if (!execute(registry, migrations[now.version], error) || !execute(registry, stamp, error) ||
        !transaction_commit(&transaction, error))
        return false;
    *version = now.version + 1;
    return true;
}

static bool bring_up_to_date(BerthRegistry *registry, GError **error)
{
    Identity identity;
    if (!read_identity(registry, &identity, error) || !check_identity(registry, &identity, error))
        return false;
    bool current = identity.version == (gint64)G_N_ELEMENTS(migrations);
    if (registry->read_only && !current)
        set_result(error, registry, SQLITE_READONLY);
    if (registry->read_only)
        return current;
    if (!identity.wal && !switch_to_wal(registry, error))
        return false;

    while (identity.version < (gint64)G_N_ELEMENTS(migrations))
        if (!migrate_once(registry, &identity.version, error))
            return false;
    return true;
}

/* Whether a registry is there and files beside it cannot be made, which a journal needs. */
static bool is_read_only(const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    return access(path, R_OK) == 0 && access(directory, W_OK) < 0;
}

/* Where nobody can write, nobody does: so no journal is needed to read ("immutable"). One that is
 * there is another's, who may write. */
static int open_read_only(BerthRegistry *registry)
{
    g_autofree char *journal = g_strconcat(registry->path, "-shm", NULL);
    g_autofree char *uri = g_filename_to_uri(registry->path, NULL, NULL);
    bool shared = access(journal, R_OK) == 0;
    g_autofree char *named = g_strconcat(uri, shared ? "?mode=ro" : "?immutable=1", NULL);
    registry->read_only = true;
    return sqlite3_open_v2(named, &registry->db,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
}

BerthRegistry *berth_registry_open(const char *path, GError **error)
{
    g_autoptr(BerthRegistry) registry = g_new0(BerthRegistry, 1);
    registry->path = g_strdup(path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int result = is_read_only(path) ? open_read_only(registry)
                                    : sqlite3_open_v2(path, &registry->db, flags, NULL);
    if (result != SQLITE_OK) {
        set_result(error, registry, result);
        return NULL;
    }

    sqlite3_busy_timeout(registry->db, BUSY_TIMEOUT_MSEC);
    if (!execute(registry, "PRAGMA foreign_keys = ON", error) || !bring_up_to_date(registry, error))
        return NULL;
    return g_steal_pointer(&registry);
}

void berth_registry_close(BerthRegistry *registry)
{
    if (registry == NULL)
        return;
    sqlite3_close(registry->db);
    g_free(registry->path);
    g_free(registry);
}

/* --- rows --- */

static BerthDistro *read_row(sqlite3_stmt *row)
{
    BerthDistro *distro = g_new0(BerthDistro, 1);
    distro->id = g_strdup((const char *)sqlite3_column_text(row, 0));
    distro->name = g_strdup((const char *)sqlite3_column_text(row, 1));
    distro->disk = g_strdup((const char *)sqlite3_column_text(row, 2));
    distro->disk_size = (guint64)sqlite3_column_int64(row, 3);
    distro->user = g_strdup((const char *)sqlite3_column_text(row, 4));
    distro->memory = (guint64)sqlite3_column_int64(row, 5);
    distro->cpus = (guint)sqlite3_column_int64(row, 6);
    distro->created_usec = sqlite3_column_int64(row, 7);
    distro->is_default = sqlite3_column_int(row, 8) != 0;
    distro->own_identity = sqlite3_column_int(row, 9) != 0;
    distro->keep_disk = sqlite3_column_int(row, 10) != 0;
    distro->account = g_strdup((const char *)sqlite3_column_text(row, 11));
    distro->account_uid = (guint)sqlite3_column_int64(row, 12);
    distro->oobe = sqlite3_column_int(row, 13) != 0;
    distro->number = (guint)sqlite3_column_int(row, 14);
    distro->forwards = g_strdup((const char *)sqlite3_column_text(row, 15));
    return distro;
}

static void bind_row(sqlite3_stmt *statement, const BerthDistro *distro)
{
    sqlite3_bind_text(statement, 1, distro->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, distro->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, distro->disk, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, (gint64)distro->disk_size);
    sqlite3_bind_text(statement, 5, distro->user, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 6, (gint64)distro->memory);
    sqlite3_bind_int64(statement, 7, distro->cpus);
    sqlite3_bind_int64(statement, 8, distro->created_usec);
    sqlite3_bind_int(statement, 9, distro->own_identity);
    sqlite3_bind_int(statement, 10, distro->keep_disk);
    sqlite3_bind_text(statement, 11, distro->account, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 12, distro->account_uid);
    sqlite3_bind_int(statement, 13, distro->oobe);
}

static bool set_exists(GError **error, const char *name)
{
    berth_error_set(error, BERTH_ERROR_EXISTS, "registry.exists",
                    "choose another name, or remove the other first: berth unregister NAME",
                    "there is a distro called %s already", name);
    return false;
}

static bool set_not_found(GError **error, const char *name)
{
    g_autofree char *shown = g_strescape(name, NULL);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "distro.not-found",
                    "\"berth list\" shows the distros there are", "there is no distro called %.80s",
                    shown);
    return false;
}

bool berth_registry_insert(BerthRegistry *registry, const BerthDistro *distro, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = prepare(
        registry,
        "INSERT INTO distro (" COLUMNS ")"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NOT EXISTS (SELECT 1 FROM distro), ?9, ?10,"
        " ?11, ?12, ?13, " FREE_NUMBER,
        NULL, NULL, error);
    if (statement == NULL)
        return false;

    bind_row(statement, distro);
    int result = sqlite3_step(statement);
    if (sqlite3_extended_errcode(registry->db) == SQLITE_CONSTRAINT_UNIQUE)
        return set_exists(error, distro->name);
    if (result == SQLITE_DONE)
        return true;
    set_result(error, registry, result);
    return false;
}

/* The row @sql finds with @key, its parameter. */
static BerthDistro *find_one(BerthRegistry *registry, const char *sql, const char *key,
                             GError **error)
{
    g_autoptr(sqlite3_stmt) statement = prepare(registry, sql, key, NULL, error);
    if (statement == NULL)
        return NULL;

    int result = step(registry, statement, error);
    if (result == SQLITE_ROW)
        return read_row(statement);
    if (result == SQLITE_DONE)
        set_not_found(error, key);
    return NULL;
}

/* The default one or, without it, the only one. */
static BerthDistro *find_default(BerthRegistry *registry, GError **error)
{
    g_autoptr(GPtrArray) distros = berth_registry_list(registry, error);
    if (distros == NULL)
        return NULL;
    if (distros->len == 0) {
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "distro.none",
                        "import one: berth import NAME FILE", "there are no distros yet");
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
        prepare(registry, "SELECT 1 FROM distro WHERE id = ?1", id, NULL, error);
    return statement != NULL && step(registry, statement, error) == SQLITE_ROW;
}

bool berth_registry_has_disk(BerthRegistry *registry, const char *path, GError **error)
{
    g_autoptr(sqlite3_stmt) statement =
        prepare(registry, "SELECT 1 FROM distro WHERE disk = ?1", path, NULL, error);
    return statement != NULL && step(registry, statement, error) == SQLITE_ROW;
}

GPtrArray *berth_registry_list(BerthRegistry *registry, GError **error)
{
    g_autoptr(sqlite3_stmt) statement =
        prepare(registry, SELECT_DISTRO "ORDER BY is_default DESC, name", NULL, NULL, error);
    if (statement == NULL)
        return NULL;

    g_autoptr(GPtrArray) distros =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_distro_free);
    int result;
    while ((result = step(registry, statement, error)) == SQLITE_ROW)
        g_ptr_array_add(distros, read_row(statement));
    return result == SQLITE_DONE ? g_steal_pointer(&distros) : NULL;
}

/* Run a change of the row called @name, the statement's first parameter. */
static bool change_row(BerthRegistry *registry, const char *sql, const char *name,
                       const char *second, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = prepare(registry, sql, name, second, error);
    if (statement == NULL)
        return false;

    int result = sqlite3_step(statement);
    if (sqlite3_extended_errcode(registry->db) == SQLITE_CONSTRAINT_UNIQUE)
        return set_exists(error, second);
    if (result != SQLITE_DONE) {
        set_result(error, registry, result);
        return false;
    }
    return sqlite3_changes(registry->db) == 1 || set_not_found(error, name);
}

bool berth_registry_remove(BerthRegistry *registry, const char *name, GError **error)
{
    return change_row(registry, "DELETE FROM distro WHERE name = ?1", name, NULL, error);
}

bool berth_registry_set_default(BerthRegistry *registry, const char *name, GError **error)
{
    g_auto(Transaction) transaction = {NULL};
    return transaction_begin(&transaction, registry, error) &&
           execute(registry, "UPDATE distro SET is_default = 0 WHERE is_default", error) &&
           change_row(registry, "UPDATE distro SET is_default = 1 WHERE name = ?1", name, NULL,
                      error) &&
           transaction_commit(&transaction, error);
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
    g_autoptr(sqlite3_stmt) statement =
        prepare(registry, "UPDATE distro SET disk = ?2, disk_size = ?3 WHERE id = ?1", distro->id,
                distro->disk, error);
    if (statement == NULL)
        return false;
    sqlite3_bind_int64(statement, 3, (gint64)distro->disk_size);
    return step(registry, statement, error) == SQLITE_DONE &&
           (sqlite3_changes(registry->db) == 1 || set_not_found(error, distro->name));
}

/* --- forwards --- */

/* @sql's parameters are the distro's id, the protocol, the address and the ports of @rule. */
static sqlite3_stmt *prepare_rule(BerthRegistry *registry, const char *sql,
                                  const BerthDistro *distro, const BerthRule *rule, GError **error)
{
    const char *protocol = berth_protocol_word(rule->protocol);
    g_autofree char *address =
        rule->family != 0 ? berth_rule_address_text(rule->family, rule->address) : g_strdup("");
    sqlite3_stmt *statement = prepare(registry, sql, distro->id, protocol, error);
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
        return set_not_found(error, distro->name);
    if (extended != SQLITE_CONSTRAINT_PRIMARYKEY) {
        set_result(error, registry, result);
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
    if (statement == NULL || step(registry, statement, error) != SQLITE_DONE)
        return false;
    if (sqlite3_changes(registry->db) == 1)
        return true;
    g_autofree char *text = berth_rule_format(rule);
    g_autofree char *hint = g_strdup_printf("\"berth forward list %s\" shows them", distro->name);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "forward.not-found", hint,
                    "there is no forward %s", text);
    return false;
}

/* --- for the other files of the registry --- */

sqlite3_stmt *berth_registry_prepare(BerthRegistry *registry, const char *sql, const char *first,
                                     const char *second, GError **error)
{
    return prepare(registry, sql, first, second, error);
}

int berth_registry_step(BerthRegistry *registry, sqlite3_stmt *statement, GError **error)
{
    return step(registry, statement, error);
}

int berth_registry_changes(const BerthRegistry *registry)
{
    return sqlite3_changes(registry->db);
}

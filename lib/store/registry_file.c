/* SPDX-License-Identifier: MIT */
#include "registry_private.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

    "ALTER TABLE distro ADD COLUMN account TEXT;" /* NULL: create none */
    "ALTER TABLE distro ADD COLUMN account_uid INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE distro ADD COLUMN oobe INTEGER NOT NULL DEFAULT 0 CHECK (oobe IN (0, 1));",

    "ALTER TABLE distro ADD COLUMN number INTEGER NOT NULL DEFAULT 0" /* 0: all were used */
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

    "CREATE TABLE host_port (" /* host ports that distros may reach; 0: all */
    "  distro TEXT NOT NULL REFERENCES distro (id) ON DELETE CASCADE,"
    "  port INTEGER NOT NULL CHECK (port BETWEEN 0 AND 65535),"
    "  PRIMARY KEY (distro, port)"
    ") STRICT, WITHOUT ROWID;",

    "ALTER TABLE distro DROP COLUMN user;" /* never written by any version */
    "ALTER TABLE distro DROP COLUMN memory;"
    "ALTER TABLE distro DROP COLUMN cpus;",

    "CREATE TABLE share (" /* directories of the host that distros see */
    "  distro TEXT NOT NULL REFERENCES distro (id) ON DELETE CASCADE,"
    "  target TEXT NOT NULL,"
    "  source TEXT NOT NULL,"
    "  read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),"
    "  PRIMARY KEY (distro, target)"
    ") STRICT, WITHOUT ROWID;",

    /* the directory that keeps a share's changes, in the distro's own; '': none */
    "ALTER TABLE share ADD COLUMN overlay TEXT NOT NULL DEFAULT '';",

    "ALTER TABLE share ADD COLUMN quota INTEGER NOT NULL DEFAULT 0" /* bytes, 0: none */
    "  CHECK (quota >= 0);",

    "CREATE TABLE snapshot (" /* copies of disks; the file is the disk's path, "@" and suffix */
    "  distro TEXT NOT NULL REFERENCES distro (id) ON DELETE CASCADE,"
    "  tag TEXT NOT NULL COLLATE NOCASE,"
    "  suffix TEXT NOT NULL,"
    "  taken_usec INTEGER NOT NULL,"
    "  automatic INTEGER NOT NULL CHECK (automatic IN (0, 1)),"
    "  PRIMARY KEY (distro, tag),"
    "  UNIQUE (distro, suffix)"
    ") STRICT, WITHOUT ROWID;",

    /* of a throw-away clone: the name of its template; NULL: a distro that stays */
    "ALTER TABLE distro ADD COLUMN template TEXT;",
};
G_STATIC_ASSERT(APPLICATION_ID == 1651668072);

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

/* Try to create and grow a file beside the registry: the errno, or 0. SQLite's own errno is that of
 * its last fallback after it failed to create a journal. */
static int probe_space(const char *path)
{
    const off_t journal_size = 32768;
    g_autofree char *name = g_strconcat(path, ".XXXXXX", NULL);
    berth_autofd int fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    unlink(name);
    return posix_fallocate(fd, 0, journal_size);
}

/* Whether an operation failed with @result because the file system is full. */
static bool is_full(const BerthRegistry *registry, int result)
{
    switch (result & 0xff) {
    case SQLITE_FULL:
        return true;
    case SQLITE_READONLY:
        return registry->no_space;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: {
        int errnum = registry->looks ? 0 : probe_space(registry->path);
        return errnum == ENOSPC || errnum == EDQUOT;
    }
    default:
        return false;
    }
}

void berth_registry_set_result(GError **error, const BerthRegistry *registry, int result)
{
    if (is_full(registry, result))
        result = SQLITE_FULL;
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

bool berth_registry_execute(BerthRegistry *registry, const char *sql, GError **error)
{
    int result = sqlite3_exec(registry->db, sql, NULL, NULL, NULL);
    if (result == SQLITE_OK)
        return true;
    berth_registry_set_result(error, registry, result);
    return false;
}

sqlite3_stmt *berth_registry_prepare(BerthRegistry *registry, const char *sql, const char *first,
                                     const char *second, GError **error)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(registry->db, sql, -1, &statement, NULL);
    if (result != SQLITE_OK) {
        berth_registry_set_result(error, registry, result);
        return NULL;
    }
    if (first != NULL)
        sqlite3_bind_text(statement, 1, first, -1, SQLITE_TRANSIENT);
    if (second != NULL)
        sqlite3_bind_text(statement, 2, second, -1, SQLITE_TRANSIENT);
    return statement;
}

int berth_registry_step(BerthRegistry *registry, sqlite3_stmt *statement, GError **error)
{
    int result = sqlite3_step(statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        berth_registry_set_result(error, registry, result);
    return result;
}

bool berth_registry_begin(BerthTransaction *transaction, BerthRegistry *registry, GError **error)
{
    if (!berth_registry_execute(registry, "BEGIN IMMEDIATE", error))
        return false;
    transaction->registry = registry;
    return true;
}

bool berth_registry_commit(BerthTransaction *transaction, GError **error)
{
    if (!berth_registry_execute(transaction->registry, "COMMIT", error))
        return false;
    transaction->registry = NULL;
    return true;
}

void berth_registry_roll_back(BerthTransaction *transaction)
{
    if (transaction->registry != NULL)
        sqlite3_exec(transaction->registry->db, "ROLLBACK", NULL, NULL, NULL);
}

/* --- opening --- */

typedef struct {
    gint64 version;
    gint64 application;
    gint64 objects; /* tables and indexes */
    bool wal;
} Identity;

/* Read the file's identity in one snapshot. */
static bool read_identity(BerthRegistry *registry, Identity *ret_identity, GError **error)
{
    g_autoptr(sqlite3_stmt) statement = berth_registry_prepare(
        registry,
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema),"
        " journal_mode = 'wal'"
        " FROM pragma_user_version, pragma_application_id, pragma_journal_mode",
        NULL, NULL, error);
    if (statement == NULL || berth_registry_step(registry, statement, error) != SQLITE_ROW)
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
        berth_registry_set_result(error, registry, SQLITE_NOTADB);
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

/* Two processes that switch the journal mode of a new file at once would deadlock, so SQLite
 * returns SQLITE_BUSY to one of them without waiting. An empty transaction then waits for the
 * other. */
static bool switch_to_wal(BerthRegistry *registry, GError **error)
{
    int result = SQLITE_BUSY;
    for (guint i = 0; i < WAL_ATTEMPTS && result == SQLITE_BUSY; i++) {
        result = sqlite3_exec(registry->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (result == SQLITE_BUSY &&
            !berth_registry_execute(registry, "BEGIN IMMEDIATE; COMMIT", error))
            return false;
    }
    if (result == SQLITE_OK)
        return true;
    berth_registry_set_result(error, registry, result);
    return false;
}

static bool migrate_once(BerthRegistry *registry, gint64 *version, GError **error)
{
    g_auto(BerthTransaction) transaction = {NULL};
    Identity now;
    if (!berth_registry_begin(&transaction, registry, error) ||
        !read_identity(registry, &now, error) || !check_identity(registry, &now, error))
        return false;

    *version = now.version;
    if (now.version == (gint64)G_N_ELEMENTS(migrations))
        return true;

    g_autofree char *stamp =
        g_strdup_printf("PRAGMA user_version = %" G_GINT64_FORMAT, now.version + 1);
    if (!berth_registry_execute(registry, migrations[now.version], error) ||
        !berth_registry_execute(registry, stamp, error) ||
        !berth_registry_commit(&transaction, error))
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
    if (registry->looks && !current)
        berth_error_set(error, BERTH_ERROR_INVALID, "registry.older", "berth list",
                        "%s: written by an older berth; the next command upgrades it",
                        registry->path);
    else if (registry->read_only && !current)
        berth_registry_set_result(error, registry, SQLITE_READONLY);
    if (registry->read_only)
        return current;
    if (!identity.wal && !switch_to_wal(registry, error))
        return false;

    while (identity.version < (gint64)G_N_ELEMENTS(migrations))
        if (!migrate_once(registry, &identity.version, error))
            return false;
    return true;
}

/* Whether a registry exists but a journal cannot be created beside it. */
static bool is_read_only(const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    return access(path, R_OK) == 0 && access(directory, W_OK) < 0;
}

/* Open with "immutable", which reads without a journal: nobody can write here. An existing journal
 * belongs to a process that may write, so then open normally. */
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

static bool prepare(BerthRegistry *registry, int result, GError **error)
{
    if (result != SQLITE_OK) {
        berth_registry_set_result(error, registry, result);
        return false;
    }
    sqlite3_busy_timeout(registry->db, BUSY_TIMEOUT_MSEC);
    return berth_registry_execute(registry, "PRAGMA foreign_keys = ON", error) &&
           bring_up_to_date(registry, error);
}

BerthRegistry *berth_registry_open(const char *path, GError **error)
{
    g_autoptr(BerthRegistry) registry = g_new0(BerthRegistry, 1);
    registry->path = g_strdup(path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int result = is_read_only(path) ? open_read_only(registry)
                                    : sqlite3_open_v2(path, &registry->db, flags, NULL);
    g_autoptr(GError) problem = NULL;
    if (prepare(registry, result, &problem))
        return g_steal_pointer(&registry);

    /* A full file system has no room for a journal: read without one. */
    if (!registry->read_only && berth_error_is(problem, BERTH_ERROR_NO_SPACE) &&
        access(path, R_OK) == 0) {
        g_clear_pointer(&registry->db, sqlite3_close);
        registry->no_space = true;
        if (prepare(registry, open_read_only(registry), NULL))
            return g_steal_pointer(&registry);
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return NULL;
}

BerthRegistry *berth_registry_open_to_look(const char *path, GError **error)
{
    g_autoptr(BerthRegistry) registry = g_new0(BerthRegistry, 1);
    registry->path = g_strdup(path);
    registry->looks = true;
    return prepare(registry, open_read_only(registry), error) ? g_steal_pointer(&registry) : NULL;
}

/* The line of integrity_check that names the fault; the one before it names the database. */
static const char *first_fault(const char *words)
{
    const char *line = words != NULL ? strrchr(words, '\n') : NULL;
    return line != NULL ? line + 1 : words;
}

bool berth_registry_check(BerthRegistry *registry, GError **error)
{
    g_autoptr(sqlite3_stmt) statement =
        berth_registry_prepare(registry, "PRAGMA integrity_check(1)", NULL, NULL, error);
    if (statement == NULL || berth_registry_step(registry, statement, error) != SQLITE_ROW)
        return false;
    const char *words = (const char *)sqlite3_column_text(statement, 0);
    if (g_strcmp0(words, "ok") == 0)
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "registry.corrupt",
                    "move it away and import the distros again; their disks are in distros/ beside "
                    "it",
                    "%s: damaged: %s", registry->path, first_fault(words));
    return false;
}

BerthRegistry *berth_registry_open_empty(const char *path, GError **error)
{
    g_autoptr(BerthRegistry) registry = g_new0(BerthRegistry, 1);
    registry->path = g_strdup(path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
    int result = sqlite3_open_v2(":memory:", &registry->db, flags, NULL);
    return prepare(registry, result, error) &&
                   berth_registry_execute(registry, "PRAGMA query_only = ON", error)
               ? g_steal_pointer(&registry)
               : NULL;
}

void berth_registry_close(BerthRegistry *registry)
{
    if (registry == NULL)
        return;
    sqlite3_close(registry->db);
    g_free(registry->path);
    g_free(registry);
}

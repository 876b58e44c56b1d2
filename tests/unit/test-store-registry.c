/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "../lib/registry_place.h"

#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_rows_round_trip(Place *place, gconstpointer data)
{
    g_autoptr(BerthDistro) distro = berth_distro_new("Debian");
    distro->disk = g_strdup("/disks/it's; ä.ext4");
    distro->disk_size = G_GUINT64_CONSTANT(16) << 40;
    distro->own_identity = true;
    distro->keep_disk = true;
    distro->account = g_strdup("alice");
    distro->account_uid = G_MAXUINT32 - 1;
    distro->oobe = true;
    distro->template = g_strdup("base");
    {
        g_autoptr(BerthRegistry) registry = open_registry(place);
        g_assert_true(berth_registry_insert(registry, distro, NULL));
    }

    g_autoptr(BerthRegistry) registry = open_registry(place);
    g_autoptr(BerthDistro) back = berth_registry_find(registry, "dEBIAN", NULL);
    g_assert_cmpstr(back->id, ==, distro->id);
    g_assert_cmpstr(back->name, ==, "Debian");
    g_assert_cmpstr(back->disk, ==, distro->disk);
    g_assert_cmpuint(back->disk_size, ==, distro->disk_size);
    g_assert_cmpint(back->created_usec, ==, distro->created_usec);
    g_assert_false(back->is_default); /* a throw-away clone */
    g_assert_cmpstr(back->template, ==, "base");
    g_assert_true(back->own_identity);
    g_assert_true(back->keep_disk);
    g_assert_cmpstr(back->account, ==, "alice");
    g_assert_cmpuint(back->account_uid, ==, G_MAXUINT32 - 1);
    g_assert_true(back->oobe);
    g_assert_true(berth_registry_has_id(registry, distro->id, NULL));
    g_assert_false(berth_registry_has_id(registry, "0000000000000000", NULL));
}

static void test_the_disk_is_changed_by_id(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) registry = open_registry(place);
    insert(registry, "one");
    insert(registry, "two");
    g_autoptr(BerthDistro) one = berth_registry_find(registry, "one", NULL);
    g_free(one->disk);
    one->disk = g_strdup("/elsewhere/one.ext4");
    one->disk_size = 4096;
    g_assert_true(berth_registry_rename(registry, "one", "uno", NULL));
    g_assert_true(berth_registry_set_disk(registry, one, NULL));

    g_autoptr(BerthDistro) back = berth_registry_find_by_id(registry, one->id, NULL);
    g_assert_cmpstr(back->name, ==, "uno");
    g_assert_cmpstr(back->disk, ==, "/elsewhere/one.ext4");
    g_assert_cmpuint(back->disk_size, ==, 4096);
    g_assert_true(berth_registry_has_file(registry, "/elsewhere/one.ext4", NULL));
    g_assert_true(berth_registry_has_file(registry, "/disks/two", NULL));
    g_assert_false(berth_registry_has_file(registry, "/disks/one", NULL));

    g_autoptr(GError) error = NULL;
    g_assert_true(berth_registry_remove(registry, "uno", NULL));
    g_assert_false(berth_registry_set_disk(registry, one, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "distro.not-found");
    g_clear_error(&error);
    g_assert_null(berth_registry_find_by_id(registry, one->id, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "distro.not-found");
}

static guint number_of(BerthRegistry *registry, const char *name)
{
    g_autoptr(BerthDistro) distro = berth_registry_find(registry, name, NULL);
    return distro->slot;
}

static void test_numbers_are_the_smallest_that_are_free(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) registry = open_registry(place);
    for (guint i = 1; i <= BERTH_DISTRO_SLOT_MAX + 1; i++) {
        g_autofree char *name = g_strdup_printf("d%u", i);
        insert(registry, name);
        g_assert_cmpuint(number_of(registry, name), ==, i > BERTH_DISTRO_SLOT_MAX ? 0 : i);
    }
    insert(registry, "another"); /* a distro without a slot, of which there may be several */
    g_assert_cmpuint(number_of(registry, "another"), ==, 0);

    g_assert_true(berth_registry_remove(registry, "d254", NULL));
    g_assert_true(berth_registry_remove(registry, "d7", NULL));
    g_assert_true(berth_registry_remove(registry, "d9", NULL));
    static const guint next[] = {7, 9, 254, 0};
    for (gsize i = 0; i < G_N_ELEMENTS(next); i++) {
        g_autofree char *name = g_strdup_printf("new%u", (guint)i);
        insert(registry, name);
        g_assert_cmpuint(number_of(registry, name), ==, next[i]);
    }
}

static BerthRule rule_of(const char *text)
{
    BerthRule rule;
    g_assert_true(berth_rule_parse(text, &rule, NULL));
    return rule;
}

static void check_forwards(BerthRegistry *registry, const char *name, const char *expected)
{
    g_autoptr(BerthDistro) distro = berth_registry_find(registry, name, NULL);
    g_assert_cmpstr(distro->forwards, ==, expected);
}

static void test_forwards(Place *place, gconstpointer data)
{
    static const char *const rules[] = {"udp:5353", "3000:80", "[::1]:80", "0.0.0.0:80", "80"};
    g_autoptr(BerthRegistry) registry = open_registry(place);
    g_autoptr(GError) error = NULL;
    insert(registry, "one");
    insert(registry, "two");
    g_autoptr(BerthDistro) one = berth_registry_find(registry, "one", NULL);
    g_autoptr(BerthDistro) two = berth_registry_find(registry, "two", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(rules); i++) {
        BerthRule rule = rule_of(rules[i]);
        g_assert_true(berth_registry_add_forward(registry, one, &rule, &error));
        g_assert_no_error(error);
    }
    check_forwards(registry, "one", "80:80;0.0.0.0:80:80;[::1]:80:80;3000:80;5353:5353/udp");
    check_forwards(registry, "two", NULL);

    BerthRule taken = rule_of("3000:8000"), other = rule_of("udp:3000:80");
    g_assert_false(berth_registry_add_forward(registry, one, &taken, &error));
    g_assert_true(berth_error_is(error, BERTH_ERROR_EXISTS));
    g_assert_cmpstr(berth_error_id(error), ==, "forward.exists");
    g_clear_error(&error);
    g_assert_true(berth_registry_add_forward(registry, two, &taken, NULL)); /* of another distro */
    g_assert_false(berth_registry_remove_forward(registry, one, &other, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "forward.not-found");
    g_clear_error(&error);
    g_assert_false(berth_registry_remove_forward(registry, one, &taken, NULL));
    BerthRule old = rule_of("3000:80");
    g_assert_true(berth_registry_remove_forward(registry, one, &old, NULL));
    check_forwards(registry, "one", "80:80;0.0.0.0:80:80;[::1]:80:80;5353:5353/udp");

    g_assert_true(berth_registry_remove(registry, "one", NULL)); /* including its forwards */
    g_assert_false(berth_registry_add_forward(registry, one, &old, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "distro.not-found");
    g_assert_true(berth_registry_insert(registry, one, NULL));
    check_forwards(registry, "one", NULL);
    check_forwards(registry, "two", "3000:8000");
}

static void test_names_are_unique_without_case(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) registry = open_registry(place);
    insert(registry, "debian");
    insert(registry, "other");
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthDistro) again = berth_distro_new("DEBIAN");
    again->disk = g_strdup("/d");
    g_assert_false(berth_registry_insert(registry, again, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_EXISTS);
    g_assert_cmpstr(berth_error_id(error), ==, "registry.exists");

    g_clear_error(&error);
    g_assert_false(berth_registry_rename(registry, "other", "Debian", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "registry.exists");
    g_clear_error(&error);
    g_assert_false(berth_registry_rename(registry, "other", "a b", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "name.invalid");
    g_assert_true(berth_registry_rename(registry, "other", "Other", NULL));
}

static void expect_find(BerthRegistry *registry, const char *name, const char *found,
                        const char *id)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthDistro) distro = berth_registry_find(registry, name, &error);
    if (found != NULL) {
        g_assert_no_error(error);
        g_assert_cmpstr(distro->name, ==, found);
        return;
    }
    g_assert_null(distro);
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_NOT_FOUND);
    g_assert_cmpstr(berth_error_id(error), ==, id);
    g_assert_nonnull(berth_error_hint(error));
}

static void test_the_default(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) registry = open_registry(place);
    expect_find(registry, NULL, NULL, "distro.none");
    insert(registry, "one");
    insert(registry, "two");
    insert(registry, "three");
    expect_find(registry, NULL, "one", NULL);

    g_assert_true(berth_registry_set_default(registry, "TWO", NULL));
    expect_find(registry, NULL, "two", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_registry_set_default(registry, "none such", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "distro.not-found");
    expect_find(registry, NULL, "two", NULL); /* the failed change had no effect */

    g_assert_true(berth_registry_remove(registry, "two", NULL));
    expect_find(registry, NULL, NULL, "distro.no-default");
    expect_find(registry, "two", NULL, "distro.not-found");
    g_assert_true(berth_registry_remove(registry, "one", NULL));
    expect_find(registry, NULL, "three", NULL); /* the only one is the default */
    g_assert_false(berth_registry_remove(registry, "one", NULL));
}

static void insert_clone(BerthRegistry *registry, const char *name)
{
    g_autoptr(BerthDistro) distro = berth_distro_new(name);
    distro->disk = g_strdup("/disks/clone");
    distro->template = g_strdup("one");
    g_assert_true(berth_registry_insert(registry, distro, NULL));
}

static void test_a_throw_away_clone_is_no_default(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) registry = open_registry(place);
    insert_clone(registry, "one-clone");
    expect_find(registry, NULL, NULL, "distro.none");
    insert(registry, "one");
    insert(registry, "two");
    expect_find(registry, NULL, "one", NULL); /* the first of the others */
    g_assert_true(berth_registry_remove(registry, "one", NULL));
    expect_find(registry, NULL, "two", NULL); /* the only other one */
    expect_find(registry, "ONE-clone", "one-clone", NULL);

    g_autoptr(GPtrArray) clones = berth_registry_list_clones(registry, NULL);
    g_assert_cmpuint(clones->len, ==, 1);
    const BerthDistro *clone = clones->pdata[0];
    g_assert_cmpstr(clone->name, ==, "one-clone");
    g_assert_cmpstr(clone->template, ==, "one");
}

static void test_list_begins_with_the_default(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) registry = open_registry(place);
    insert(registry, "Zeta");
    insert(registry, "beta");
    insert(registry, "Alpha");
    g_autoptr(GPtrArray) distros = berth_registry_list(registry, NULL);
    static const char *const expected[] = {"Zeta", "Alpha", "beta"};
    g_assert_cmpuint(distros->len, ==, 3);
    for (guint i = 0; i < 3; i++)
        g_assert_cmpstr(((BerthDistro *)distros->pdata[i])->name, ==, expected[i]);
}

static void expect_refused_untouched(const Place *place, const char *bytes, gsize size)
{
    g_assert_true(g_file_set_contents(place->path, bytes, (gssize)size, NULL));
    g_autoptr(GError) error = NULL;
    g_assert_null(berth_registry_open(place->path, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_INVALID);
    g_assert_cmpstr(berth_error_id(error), ==, "registry.corrupt");
    g_assert_nonnull(strstr(error->message, place->path));
    g_assert_nonnull(berth_error_hint(error));

    g_autofree char *after = NULL;
    gsize after_size = 0;
    g_assert_true(g_file_get_contents(place->path, &after, &after_size, NULL));
    g_assert_cmpmem(after, after_size, bytes, size);
}

static void test_other_files_are_not_changed(Place *place, gconstpointer data)
{
    g_autofree char *noise = g_malloc(8192);
    for (gsize i = 0; i < 8192; i++)
        noise[i] = (char)(i * 31);
    expect_refused_untouched(place, noise, 8192);
    expect_refused_untouched(place, "short", 5);

    /* A registry whose schema page was damaged. */
    g_unlink(place->path);
    berth_registry_close(open_registry(place));
    g_autofree char *bytes = NULL;
    gsize size = 0;
    g_assert_true(g_file_get_contents(place->path, &bytes, &size, NULL));
    g_assert_cmpuint(size, >, 200);
    memset(bytes + 100, 0xff, 100);
    expect_refused_untouched(place, bytes, size);
}

/* Offsets in the file's header are those of SQLite's file format, section 1.3. */
static void patch_header(const Place *place, gsize offset, guint32 value)
{
    g_autofree char *bytes = NULL;
    gsize size = 0;
    g_assert_true(g_file_get_contents(place->path, &bytes, &size, NULL));
    guint32 big_endian = GUINT32_TO_BE(value);
    memcpy(bytes + offset, &big_endian, sizeof(big_endian));
    g_assert_true(g_file_set_contents(place->path, bytes, (gssize)size, NULL));
}

static void test_newer_and_foreign_files_are_refused(Place *place, gconstpointer data)
{
    static const struct {
        gsize offset;
        guint32 value;
        const char *id;
    } cases[] = {{60, 999, "registry.newer"}, {68, 1, "registry.corrupt"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_unlink(place->path);
        berth_registry_close(open_registry(place));
        patch_header(place, cases[i].offset, cases[i].value);
        g_autoptr(GError) error = NULL;
        g_assert_null(berth_registry_open(place->path, &error));
        g_assert_cmpstr(berth_error_id(error), ==, cases[i].id);
    }
}

static void test_unusable_directories(Place *place, gconstpointer data)
{
    g_autofree char *path = g_build_filename(place->directory, "missing", "registry.db", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_null(berth_registry_open(path, &error));
    g_assert_nonnull(strstr(error->message, path));
    g_assert_cmpstr(berth_error_id(error), ==, "registry.missing");
}

/* GLib's random generator gives equal numbers in forked children, so the id is explicit. */
static BerthDistro *worker_distro(const char *name, int worker, int round)
{
    BerthDistro *distro = berth_distro_new(name);
    g_free(distro->id);
    distro->id = g_strdup_printf("%08x%08x", (guint)worker, (guint)round);
    distro->disk = g_strdup("/d");
    return distro;
}

/* One of many concurrent processes, started before the file exists. The exit status is the number
 * of the failed step. */
static int use_registry(const char *path, int worker)
{
    for (int round = 0; round < 6; round++) {
        g_autoptr(BerthRegistry) registry = berth_registry_open(path, NULL);
        if (registry == NULL)
            return 1;
        g_autofree char *name = g_strdup_printf("d-%d-%d", worker, round);
        g_autoptr(BerthDistro) distro = worker_distro(name, worker, round);
        if (!berth_registry_insert(registry, distro, NULL))
            return 2;
        if (!berth_registry_set_default(registry, name, NULL))
            return 3;
        g_autoptr(GPtrArray) distros = berth_registry_list(registry, NULL);
        if (distros == NULL || distros->len == 0)
            return 4;
        if (round % 2 == 1 && !berth_registry_remove(registry, name, NULL))
            return 5;
    }
    return 0;
}

/* Start @count children that begin together when a pipe is closed; returns how many failed. */
static int run_at_once(int count, int (*work)(const char *path, int worker), const char *path)
{
    int gate[2];
    g_assert_cmpint(pipe(gate), ==, 0);
    for (int worker = 0; worker < count; worker++) {
        pid_t child = fork();
        g_assert_cmpint(child, >=, 0);
        if (child > 0)
            continue;
        close(gate[1]);
        char byte;
        ssize_t ignored = read(gate[0], &byte, 1);
        _exit(ignored == 0 ? work(path, worker) : 99);
    }
    close(gate[0]);
    close(gate[1]);

    int failed = 0;
    for (int i = 0; i < count; i++) {
        int status;
        g_assert_cmpint(wait(&status), >, 0);
        if (status != 0)
            g_test_message("a worker ended with %d", status);
        failed += status != 0;
    }
    return failed;
}

static void test_many_processes_at_once(Place *place, gconstpointer data)
{
    g_assert_cmpint(run_at_once(16, use_registry, place->path), ==, 0);
    g_autoptr(BerthRegistry) registry = open_registry(place);
    g_autoptr(GPtrArray) distros = berth_registry_list(registry, NULL);
    g_assert_cmpuint(distros->len, ==, 16 * 3);
}

static int insert_same_name(const char *path, int worker)
{
    g_autoptr(BerthRegistry) registry = berth_registry_open(path, NULL);
    g_autoptr(BerthDistro) distro = worker_distro("debian", worker, 0);
    g_autoptr(GError) error = NULL;
    if (registry == NULL)
        return 2;
    if (berth_registry_insert(registry, distro, &error))
        return 0;
    return g_str_equal(berth_error_id(error), "registry.exists") ? 1 : 2;
}

static void test_one_of_many_gets_the_name(Place *place, gconstpointer data)
{
    g_assert_cmpint(run_at_once(12, insert_same_name, place->path), ==, 11);
}

static void assert_host_ports(BerthRegistry *registry, const BerthDistro *distro, const char *ports)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *found = berth_registry_host_ports(registry, distro, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(found, ==, ports);
}

static void test_ports_of_the_host(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) registry = open_registry(place);
    g_autoptr(GError) error = NULL;
    insert(registry, "one");
    insert(registry, "two");
    g_autoptr(BerthDistro) one = berth_registry_find(registry, "one", NULL);
    g_autoptr(BerthDistro) two = berth_registry_find(registry, "two", NULL);
    assert_host_ports(registry, one, "");
    g_assert_true(berth_registry_allow_port(registry, one, 443, NULL));
    g_assert_true(berth_registry_allow_port(registry, one, 80, NULL));
    g_assert_true(berth_registry_allow_port(registry, one, 80, NULL));
    g_assert_true(berth_registry_allow_port(registry, two, BERTH_REGISTRY_ALL_PORTS, NULL));
    assert_host_ports(registry, one, "80, 443");
    assert_host_ports(registry, two, "all");

    g_assert_true(berth_registry_deny_port(registry, one, 80, NULL));
    g_assert_false(berth_registry_deny_port(registry, one, 80, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "host.not-allowed");
    g_assert_true(berth_registry_deny_all(registry, two, NULL));
    assert_host_ports(registry, one, "443");
    assert_host_ports(registry, two, "");
    g_assert_true(berth_registry_remove(registry, "one", NULL));
    assert_host_ports(registry, one, "");
}

static BerthShare *share_of(const char *text)
{
    BerthShare *share = berth_share_from_text(text);
    g_assert_nonnull(share);
    return share;
}

static void add_share(BerthRegistry *registry, const BerthDistro *distro, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthShare) share = share_of(text);
    g_assert_true(berth_registry_add_share(registry, distro, share, &error));
    g_assert_no_error(error);
}

static void refuse_share(BerthRegistry *registry, const BerthDistro *distro, const char *text,
                         const char *id)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthShare) share = share_of(text);
    g_assert_false(berth_registry_add_share(registry, distro, share, &error));
    g_assert_cmpstr(berth_error_id(error), ==, id);
}

static void assert_shares(BerthRegistry *registry, const BerthDistro *distro, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) shares = berth_registry_shares(registry, distro, &error);
    g_assert_no_error(error);
    g_autoptr(GString) found = g_string_new(NULL);
    for (guint i = 0; i < shares->len; i++) {
        g_autofree char *text = berth_share_to_text(shares->pdata[i]);
        g_string_append_printf(found, "%s;", text);
    }
    g_assert_cmpstr(found->str, ==, expected);
}

static void test_shares(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) registry = open_registry(place);
    g_autoptr(GError) error = NULL;
    insert(registry, "one");
    insert(registry, "two");
    g_autoptr(BerthDistro) one = berth_registry_find(registry, "one", NULL);
    g_autoptr(BerthDistro) two = berth_registry_find(registry, "two", NULL);
    assert_shares(registry, one, "");
    add_share(registry, one, "rw:/srv/src:/work");
    add_share(registry, one, "ro:/srv/%FFa%3A%20b:/data");
    assert_shares(registry, one, "ro:/srv/%FFa%3A%20b:/data;rw:/srv/src:/work;");
    assert_shares(registry, two, "");

    refuse_share(registry, one, "ro:/srv/other:/work", "share.exists");
    refuse_share(registry, one, "rw:/srv/other:/work/deep", "share.nested");
    refuse_share(registry, one, "rw:/srv/other:/", "share.nested");
    add_share(registry, one, "rw:/srv/src:/workshop"); /* a name that begins the same */
    add_share(registry, two, "rw:/srv/other:/work");   /* of another distro */

    g_assert_true(berth_registry_remove_share(registry, one, "/work", NULL));
    g_assert_false(berth_registry_remove_share(registry, one, "/work", &error));
    g_assert_true(berth_error_is(error, BERTH_ERROR_NOT_FOUND));
    g_assert_cmpstr(berth_error_id(error), ==, "share.not-found");
    assert_shares(registry, one, "ro:/srv/%FFa%3A%20b:/data;rw:/srv/src:/workshop;");

    g_assert_true(berth_registry_rename(registry, "one", "new", NULL));
    assert_shares(registry, one, "ro:/srv/%FFa%3A%20b:/data;rw:/srv/src:/workshop;");
    g_assert_true(berth_registry_remove(registry, "new", NULL)); /* including its shares */
    refuse_share(registry, one, "rw:/srv/src:/work", "distro.not-found");
    g_assert_true(berth_registry_insert(registry, one, NULL));
    assert_shares(registry, one, "");
    assert_shares(registry, two, "rw:/srv/other:/work;");
}

static void execute(const Place *place, const char *sql)
{
    sqlite3 *db = NULL;
    g_assert_cmpint(sqlite3_open(place->path, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_close(db), ==, SQLITE_OK);
}

/* A registry of the version before shares keeps its rows and takes shares. */
static void test_a_registry_without_shares(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) former = open_registry(place);
    insert(former, "one");
    g_autoptr(BerthDistro) one = berth_registry_find(former, "one", NULL);
    BerthRule rule = rule_of("3000:80");
    g_assert_true(berth_registry_add_forward(former, one, &rule, NULL));
    g_clear_pointer(&former, berth_registry_close);
    execute(place, "DROP TABLE share; DROP TABLE snapshot;"
                   "ALTER TABLE distro DROP COLUMN template; PRAGMA user_version = 7;");

    g_autoptr(BerthRegistry) registry = open_registry(place);
    check_forwards(registry, "one", "3000:80");
    assert_shares(registry, one, "");
    add_share(registry, one, "rw:/srv/src:/work");
    assert_shares(registry, one, "rw:/srv/src:/work;");
}

/* Shares of a registry from before quotas have none; a quota is kept. */
static void test_a_registry_without_quotas(Place *place, gconstpointer data)
{
    g_autoptr(BerthRegistry) former = open_registry(place);
    insert(former, "one");
    g_autoptr(BerthDistro) one = berth_registry_find(former, "one", NULL);
    add_share(former, one, "rw:/srv/a:/a");
    g_clear_pointer(&former, berth_registry_close);
    execute(place, "ALTER TABLE share DROP COLUMN quota; DROP TABLE snapshot;"
                   "ALTER TABLE distro DROP COLUMN template; PRAGMA user_version = 9;");

    g_autoptr(BerthRegistry) registry = open_registry(place);
    add_share(registry, one, "quota:/srv/b:/b:/count:9223372036854775807");
    add_share(registry, one, "cow-quota:/srv/c:/c:/changes:4096");
    g_autoptr(GPtrArray) shares = berth_registry_shares(registry, one, NULL);
    g_assert_cmpuint(shares->len, ==, 3);
    const guint64 quotas[] = {0, G_MAXINT64, 4096};
    for (guint i = 0; i < shares->len; i++)
        g_assert_cmpuint(((const BerthShare *)shares->pdata[i])->quota, ==, quotas[i]);
    assert_shares(registry, one, "rw:/srv/a:/a;rw:/srv/b:/b;cow-quota:/srv/c:/c:/changes:4096;");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(Place *place, gconstpointer data);
    } tests[] = {
        {"/store/registry/rows-round-trip", test_rows_round_trip},
        {"/store/registry/the-disk-is-changed-by-id", test_the_disk_is_changed_by_id},
        {"/store/registry/names-are-unique-without-case", test_names_are_unique_without_case},
        {"/store/registry/the-default", test_the_default},
        {"/store/registry/a-throw-away-clone-is-no-default", test_a_throw_away_clone_is_no_default},
        {"/store/registry/list-begins-with-the-default", test_list_begins_with_the_default},
        {"/store/registry/other-files-are-not-changed", test_other_files_are_not_changed},
        {"/store/registry/numbers-are-the-smallest-that-are-free",
         test_numbers_are_the_smallest_that_are_free},
        {"/store/registry/forwards", test_forwards},
        {"/store/registry/newer-and-foreign-files-are-refused",
         test_newer_and_foreign_files_are_refused},
        {"/store/registry/unusable-directories", test_unusable_directories},
        {"/store/registry/many-processes-at-once", test_many_processes_at_once},
        {"/store/registry/ports-of-the-host", test_ports_of_the_host},
        {"/store/registry/shares", test_shares},
        {"/store/registry/a-registry-without-shares", test_a_registry_without_shares},
        {"/store/registry/a-registry-without-quotas", test_a_registry_without_quotas},
        {"/store/registry/one-of-many-gets-the-name", test_one_of_many_gets_the_name},
    };
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Place, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}

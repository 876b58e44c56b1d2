/* SPDX-License-Identifier: MIT */
#include "manage/ssh_keys.h"

#include "../lib/files.h"

#include "base/error.h"

#include <string.h>
#include <sys/stat.h>

typedef struct {
    char *directory;
    BerthLayout *layout;
    BerthDistro *distro;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->directory = g_dir_make_tmp("berth-keys-XXXXXX", NULL);
    g_autofree char *home = g_strconcat("HOME=", fixture->directory, NULL);
    const char *const environment[] = {home, NULL};
    const BerthLayoutSupport support = {.installed = "/nowhere"};
    fixture->layout = berth_layout_new(environment, &support, NULL);
    fixture->distro = berth_distro_new("Box");
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    files_remove(fixture->directory);
    berth_layout_free(fixture->layout);
    berth_distro_free(fixture->distro);
    g_free(fixture->directory);
}

static BerthSshKeys *make(const Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    BerthSshKeys *keys = berth_ssh_keys_make(fixture->layout, fixture->distro, &error);
    g_assert_no_error(error);
    return keys;
}

static void assert_mode(const char *path, mode_t mode)
{
    struct stat st;
    g_assert_cmpint(lstat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, mode);
}

static void test_private(Fixture *fixture, gconstpointer data)
{
    g_autoptr(BerthSshKeys) keys = make(fixture);
    g_autofree char *directory = berth_layout_ssh(fixture->layout, fixture->distro->id);
    g_autofree char *host_key = g_build_filename(directory, "host_key", NULL);
    assert_mode(directory, 0700);
    assert_mode(keys->client_key, 0600);
    assert_mode(host_key, 0600);
    g_assert_true(g_str_has_prefix(keys->public_key, "ssh-ed25519 AAAA"));
    g_assert_null(strstr(keys->public_key, "berth"));
    g_assert_nonnull(strstr(keys->host_key, "OPENSSH PRIVATE KEY"));
}

static void test_known_hosts(Fixture *fixture, gconstpointer data)
{
    g_autoptr(BerthSshKeys) first = make(fixture);
    g_autofree char *before = NULL, *after = NULL;
    g_assert_true(g_file_get_contents(first->known_hosts, &before, NULL, NULL));
    g_assert_true(g_str_has_prefix(before, "box.berth ssh-ed25519 AAAA"));

    g_free(fixture->distro->name);
    fixture->distro->name = g_strdup("Other");
    g_autoptr(BerthSshKeys) second = make(fixture);
    g_assert_cmpstr(second->host_key, ==, first->host_key);
    g_assert_cmpstr(second->public_key, ==, first->public_key);
    g_assert_true(g_file_get_contents(second->known_hosts, &after, NULL, NULL));
    g_assert_true(g_str_has_prefix(after, "other.berth ssh-ed25519 AAAA"));
    g_assert_cmpstr(strchr(after, ' '), ==, strchr(before, ' '));
}

static gpointer make_in_thread(gpointer fixture)
{
    return make(fixture);
}

/* Whoever comes first has made them; all have the same. */
static void test_at_once(Fixture *fixture, gconstpointer data)
{
    GThread *threads[4];
    g_autofree char *parent = berth_layout_distro(fixture->layout, fixture->distro->id);
    g_autoptr(BerthSshKeys) last = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("keys", make_in_thread, fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++) {
        g_autoptr(BerthSshKeys) keys = g_thread_join(threads[i]);
        g_assert_true(last == NULL || strcmp(keys->host_key, last->host_key) == 0);
        berth_ssh_keys_free(last);
        last = g_steal_pointer(&keys);
    }
    g_autoptr(GDir) dir = g_dir_open(parent, 0, NULL);
    g_assert_cmpstr(g_dir_read_name(dir), ==, "ssh"); /* nothing else is left */
    g_assert_null(g_dir_read_name(dir));
}

static void test_damaged(Fixture *fixture, gconstpointer data)
{
    static const char *const names[] = {"client_key", "client_key.pub", "host_key", "host_key.pub"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(BerthSshKeys) keys = make(fixture);
        g_autofree char *directory = berth_layout_ssh(fixture->layout, fixture->distro->id);
        g_autofree char *path = g_build_filename(directory, names[i], NULL);
        g_assert_cmpint(g_remove(path), ==, 0);
        g_assert_null(berth_ssh_keys_make(fixture->layout, fixture->distro, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "ssh.keys");
        g_assert_nonnull(strstr(berth_error_hint(error), "rm -r "));
        files_remove(directory);
    }
}

static void test_no_program(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_strdup(g_getenv("PATH"));
    g_autofree char *parent = berth_layout_distro(fixture->layout, fixture->distro->id);
    g_setenv("PATH", "/nonexistent", TRUE);
    g_assert_null(berth_ssh_keys_make(fixture->layout, fixture->distro, &error));
    g_setenv("PATH", path, TRUE);
    g_assert_cmpstr(berth_error_id(error), ==, "ssh.no-keygen");
    g_autoptr(GDir) dir = g_dir_open(parent, 0, NULL);
    g_assert_null(g_dir_read_name(dir)); /* nothing is left */
}

static void test_program_fails(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_strdup(g_getenv("PATH"));
    g_autofree char *program = files_make_script(fixture->directory, "ssh-keygen",
                                                 "#!/bin/sh\necho no entropy >&2\nexit 1\n");
    g_setenv("PATH", fixture->directory, TRUE);
    g_assert_null(berth_ssh_keys_make(fixture->layout, fixture->distro, &error));
    g_setenv("PATH", path, TRUE);
    g_assert_cmpstr(berth_error_id(error), ==, "ssh.keygen");
    g_assert_nonnull(strstr(error->message, "no entropy"));
}

static void test_user(Fixture *fixture, gconstpointer data)
{
    const char *id = fixture->distro->id;
    berth_ssh_keys_set_user(fixture->layout, id, "early"); /* without keys there is no place */
    g_assert_null(berth_ssh_keys_user(fixture->layout, id));
    g_autoptr(BerthSshKeys) keys = make(fixture);
    g_assert_null(berth_ssh_keys_user(fixture->layout, id));
    berth_ssh_keys_set_user(fixture->layout, id, "me");
    g_autofree char *user = berth_ssh_keys_user(fixture->layout, id);
    g_assert_cmpstr(user, ==, "me");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/ssh-keys/private", Fixture, NULL, set_up, test_private, tear_down);
    g_test_add("/ssh-keys/known-hosts", Fixture, NULL, set_up, test_known_hosts, tear_down);
    g_test_add("/ssh-keys/at-once", Fixture, NULL, set_up, test_at_once, tear_down);
    g_test_add("/ssh-keys/damaged", Fixture, NULL, set_up, test_damaged, tear_down);
    g_test_add("/ssh-keys/no-program", Fixture, NULL, set_up, test_no_program, tear_down);
    g_test_add("/ssh-keys/program-fails", Fixture, NULL, set_up, test_program_fails, tear_down);
    g_test_add("/ssh-keys/user", Fixture, NULL, set_up, test_user, tear_down);
    return g_test_run();
}

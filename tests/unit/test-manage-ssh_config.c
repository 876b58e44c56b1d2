/* SPDX-License-Identifier: MIT */
#include "manage/ssh_config.h"

#include "../lib/files.h"

#include "base/error.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INCLUDE "Include \"/c/ssh_config\""

/* --- text --- */

static void test_host(void)
{
    const BerthSshHost host = {.name = "Debian",
                               .user = "me",
                               .program = "/opt/100% o'clock/berth",
                               .client_key = "/home/a \"b\"/%key\\",
                               .known_hosts = "/home/known"};
    g_autofree char *text = berth_ssh_config_host(&host);
    g_assert_cmpstr(text, ==,
                    "Host Debian.berth debian.berth\n"
                    "    User me\n"
                    "    ProxyCommand '/opt/100%% o'\\''clock/berth' ssh-proxy Debian %r\n"
                    "    IdentityFile \"/home/a \\\"b\\\"/%%key\\\\\"\n"
                    "    IdentitiesOnly yes\n"
                    "    UserKnownHostsFile \"/home/known\"\n"
                    "    GlobalKnownHostsFile /dev/null\n"
                    "    HostKeyAlgorithms ssh-ed25519\n"
                    "    StrictHostKeyChecking yes\n");
}

static void test_others(void)
{
    g_autofree char *text = berth_ssh_config_others("/usr/bin/berth");
    g_assert_cmpstr(text, ==, "Host *.berth\n    ProxyCommand '/usr/bin/berth' ssh-proxy %n %r\n");
}

static void test_path(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_ssh_config_check("/a b/\"'%\\c", &error));
    g_assert_false(berth_ssh_config_check("/a\nHost *", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "ssh.path");
}

/* --- the user's file --- */

static void test_line_is_added(void)
{
    static const struct {
        const char *text, *wanted; /* NULL: as it is */
    } rows[] = {
        {"", INCLUDE "\n"},
        {"Host a\n    User b\n", INCLUDE "\n\nHost a\n    User b\n"},
        {"no newline", INCLUDE "\n\nno newline"},
        {"a\r\nb\r\n", INCLUDE "\n\na\r\nb\r\n"},
        {INCLUDE "\n", NULL},
        {INCLUDE, NULL},
        {"# mine\n\n  " INCLUDE "  \r\nHost a\n", NULL},
        {"Host a\n" INCLUDE "\n", INCLUDE "\n\nHost a\n" INCLUDE "\n"},
        {"match all\n" INCLUDE "\n", INCLUDE "\n\nmatch all\n" INCLUDE "\n"},
        {"HOST=a\n" INCLUDE "\n", INCLUDE "\n\nHOST=a\n" INCLUDE "\n"},
        {"HostName a\n" INCLUDE "\n", NULL},
        {"# " INCLUDE "\n", INCLUDE "\n\n# " INCLUDE "\n"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = berth_ssh_config_with(rows[i].text, INCLUDE);
        g_assert_cmpstr(text, ==, rows[i].wanted);
    }
}

/* Whatever there is: it stays, behind the line, and a second time changes nothing. */
static void test_random_text(void)
{
    static const char *const words[] = {"Host", "Match", " ",    "\n", "\r\n",    "\t",  "=", "#",
                                        "x",    INCLUDE, "\xff", "\"", "include", "\n\n"};
    for (int n = 0; n < 20000; n++) {
        g_autoptr(GString) text = g_string_new(NULL);
        for (gint32 left = g_test_rand_int_range(0, 20); left > 0; left--)
            g_string_append(text, words[g_test_rand_int_range(0, G_N_ELEMENTS(words))]);
        g_autofree char *once = berth_ssh_config_with(text->str, INCLUDE);
        if (once == NULL) {
            g_assert_nonnull(strstr(text->str, INCLUDE));
            continue;
        }
        g_assert_true(g_str_has_prefix(once, INCLUDE "\n"));
        g_assert_true(g_str_has_suffix(once, text->str));
        g_assert_null(berth_ssh_config_with(once, INCLUDE));
    }
}

static void test_include(void)
{
    g_autofree char *plain = berth_ssh_config_include("/home/me/a b/ssh_config");
    g_assert_cmpstr(plain, ==, "Include \"/home/me/a b/ssh_config\"");
    g_autofree char *odd = berth_ssh_config_include("/a*[b\\\"");
    g_assert_cmpstr(odd, ==, "Include \"/a\\\\*\\\\[b\\\\\\\\\\\"\"");
}

/* --- files --- */

typedef struct {
    char *directory, *file, *config;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->directory = g_dir_make_tmp("berth-ssh-XXXXXX", NULL);
    fixture->file = g_build_filename(fixture->directory, "config/berth/ssh_config", NULL);
    fixture->config = g_build_filename(fixture->directory, ".ssh/config", NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    files_remove(fixture->directory);
    g_free(fixture->directory);
    g_free(fixture->file);
    g_free(fixture->config);
}

static bool install(const Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    bool added;
    g_assert_true(
        berth_ssh_config_install(fixture->file, "Host x\n", fixture->config, &added, &error));
    g_assert_no_error(error);
    return added;
}

static char *read_text(const char *path)
{
    char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    g_assert_cmpint(lstat(path, &st), ==, 0);
    return st.st_mode & 07777;
}

static void put(const Fixture *fixture, const char *text, mode_t mode)
{
    g_autofree char *directory = g_path_get_dirname(fixture->config);
    g_assert_cmpint(g_mkdir_with_parents(directory, 0700), ==, 0);
    files_write(fixture->config, text);
    g_assert_cmpint(chmod(fixture->config, mode), ==, 0);
}

static void assert_included(const Fixture *fixture, const char *rest)
{
    g_autofree char *line = berth_ssh_config_include(fixture->file);
    g_autofree char *wanted = g_strdup_printf("%s\n%s%s", line, rest[0] != '\0' ? "\n" : "", rest);
    g_autofree char *text = read_text(fixture->config);
    g_assert_cmpstr(text, ==, wanted);
}

static void test_first_time(Fixture *fixture, gconstpointer data)
{
    g_autofree char *directory = g_path_get_dirname(fixture->config);
    g_assert_true(install(fixture));
    assert_included(fixture, "");
    g_assert_cmpint(mode_of(fixture->config), ==, 0600);
    g_assert_cmpint(mode_of(directory), ==, 0700);
    g_assert_cmpint(mode_of(fixture->file), ==, 0600);
    g_autofree char *text = read_text(fixture->file);
    g_assert_cmpstr(text, ==, "Host x\n");
}

static void test_second_time(Fixture *fixture, gconstpointer data)
{
    struct stat before, after;
    put(fixture, "Host a\n", 0644);
    g_assert_true(install(fixture));
    assert_included(fixture, "Host a\n");
    g_assert_cmpint(mode_of(fixture->config), ==, 0644);
    g_assert_cmpint(stat(fixture->config, &before), ==, 0);
    g_assert_false(install(fixture));
    g_assert_cmpint(stat(fixture->config, &after), ==, 0);
    g_assert_cmpuint(before.st_ino, ==, after.st_ino);
}

static void test_link(Fixture *fixture, gconstpointer data)
{
    g_autofree char *real = g_build_filename(fixture->directory, "dotfiles", NULL);
    put(fixture, "", 0600);
    g_assert_cmpint(unlink(fixture->config), ==, 0);
    files_write(real, "Host a\n");
    g_assert_cmpint(symlink("../dotfiles", fixture->config), ==, 0);
    g_assert_true(install(fixture));
    assert_included(fixture, "Host a\n");
    g_assert_true(g_file_test(fixture->config, G_FILE_TEST_IS_SYMLINK));
    g_assert_false(g_file_test(real, G_FILE_TEST_IS_SYMLINK));
}

/* A file that cannot be changed keeps every byte. */
static void test_refused(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    bool added;
    put(fixture, "", 0600);
    g_assert_true(g_file_set_contents(fixture->config, "a\0b", 3, NULL));
    g_assert_false(
        berth_ssh_config_install(fixture->file, "Host x\n", fixture->config, &added, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "ssh.config");
    g_autofree char *text = NULL;
    gsize size = 0;
    g_assert_true(g_file_get_contents(fixture->config, &text, &size, NULL));
    g_assert_cmpmem(text, size, "a\0b", 3);
}

#define NOBODY 65534

/* Root may write every file: go on as another user, whose files these are then. */
static void leave_root(const Fixture *fixture)
{
    g_autofree char *directory = g_path_get_dirname(fixture->config);
    const char *const paths[] = {fixture->directory, directory, fixture->config};
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++)
        g_assert_cmpint(chown(paths[i], NOBODY, (gid_t)-1), ==, 0);
    g_assert_cmpint(setresuid(NOBODY, NOBODY, 0), ==, 0);
}

static void test_read_only(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    bool added;
    put(fixture, "Host a\n", 0400);
    bool root = geteuid() == 0;
    if (root)
        leave_root(fixture);
    g_assert_false(
        berth_ssh_config_install(fixture->file, "Host x\n", fixture->config, &added, &error));
    if (root)
        g_assert_cmpint(setresuid(0, 0, 0), ==, 0);
    g_assert_cmpstr(berth_error_id(error), ==, "ssh.config.read-only");
    g_assert_nonnull(strstr(berth_error_hint(error), "Include \""));
    g_autofree char *text = read_text(fixture->config);
    g_assert_cmpstr(text, ==, "Host a\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ssh-config/host", test_host);
    g_test_add_func("/ssh-config/others", test_others);
    g_test_add_func("/ssh-config/path", test_path);
    g_test_add_func("/ssh-config/line-is-added", test_line_is_added);
    g_test_add_func("/ssh-config/random-text", test_random_text);
    g_test_add_func("/ssh-config/include", test_include);
    g_test_add("/ssh-config/first-time", Fixture, NULL, set_up, test_first_time, tear_down);
    g_test_add("/ssh-config/second-time", Fixture, NULL, set_up, test_second_time, tear_down);
    g_test_add("/ssh-config/link", Fixture, NULL, set_up, test_link, tear_down);
    g_test_add("/ssh-config/refused", Fixture, NULL, set_up, test_refused, tear_down);
    g_test_add("/ssh-config/read-only", Fixture, NULL, set_up, test_read_only, tear_down);
    return g_test_run();
}

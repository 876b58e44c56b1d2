/* SPDX-License-Identifier: MIT */
#include "ssh_keys.h"

#include "base/error.h"
#include "ssh_key_format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENT_KEY  "client_key"
#define HOST_KEY    "host_key"
#define KNOWN_HOSTS "known_hosts"
#define USER        "user"
#define TEMPORARY   ".ssh-XXXXXX"

static bool set_errno(GError **error, const char *path)
{
    berth_error_set_errno(error, errno, "ssh.keys", "%s", path);
    return false;
}

/* --- making --- */

static char *find_keygen(GError **error)
{
    char *program = g_find_program_in_path("ssh-keygen");
    if (program == NULL)
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "ssh.no-keygen",
                        "install the OpenSSH client: apt-get install openssh-client",
                        "cannot make keys: there is no ssh-keygen on this host");
    return program;
}

static bool run_keygen(const char *program, const char *path, GError **error)
{
    const char *const argv[] = {program, "-q",    "-t", "ed25519", "-N", "",
                                "-C",    "berth", "-f", path,      NULL};
    g_autofree char *said = NULL;
    g_autoptr(GError) problem = NULL;
    int status = 0;
    if (g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &said,
                     &status, &problem) &&
        g_spawn_check_wait_status(status, &problem))
        return true;
    const char *why = said != NULL && said[0] != '\0' ? g_strchomp(said) : problem->message;
    berth_error_set(error, BERTH_ERROR_FAILED, "ssh.keygen", NULL,
                    "cannot make keys: ssh-keygen: %s", why);
    return false;
}

static bool make_pair(const char *program, const char *directory, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    return run_keygen(program, path, error);
}

static void remove_directory(const char *directory)
{
    static const char *const names[] = {CLIENT_KEY, CLIENT_KEY ".pub", HOST_KEY, HOST_KEY ".pub"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(directory, names[i], NULL);
        unlink(path);
    }
    rmdir(directory);
}

/* Another process may have made the keys meanwhile: then those are the distro's. */
static bool make_in(const char *temporary, const char *directory, GError **error)
{
    g_autofree char *program = find_keygen(error);
    if (program == NULL || !make_pair(program, temporary, CLIENT_KEY, error) ||
        !make_pair(program, temporary, HOST_KEY, error))
        return false;
    if (rename(temporary, directory) == 0)
        return true;
    if (errno != EEXIST && errno != ENOTEMPTY)
        return set_errno(error, directory);
    remove_directory(temporary);
    return true;
}

static bool make_directory(const BerthLayout *layout, const char *id, const char *directory,
                           GError **error)
{
    if (g_file_test(directory, G_FILE_TEST_IS_DIR))
        return true;
    g_autofree char *parent = berth_layout_distro(layout, id);
    g_autofree char *temporary = g_build_filename(parent, TEMPORARY, NULL);
    if (!berth_layout_make(parent, error))
        return false;
    if (g_mkdtemp_full(temporary, 0700) == NULL)
        return set_errno(error, temporary);
    if (make_in(temporary, directory, error))
        return true;
    remove_directory(temporary);
    return false;
}

/* --- reading --- */

static char *read_file(const char *directory, const char *name)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    char *text = NULL;
    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

/* Type and key, without the comment; NULL: that is none. */
static char *read_public(const char *directory, const char *name)
{
    g_autofree char *text = read_file(directory, name);
    g_auto(GStrv) words = g_strsplit(text != NULL ? g_strchomp(text) : "", " ", 3);
    if (g_strv_length(words) < 2 || !g_str_has_prefix(words[0], "ssh-"))
        return NULL;
    return g_strdup_printf("%s %s", words[0], words[1]);
}

static bool set_damaged(GError **error, const char *directory)
{
    g_autofree char *word = g_shell_quote(directory);
    g_autofree char *hint =
        g_strdup_printf("remove them, and berth makes new ones: rm -r %s", word);
    berth_error_set(error, BERTH_ERROR_INVALID, "ssh.keys", hint,
                    "%s: the keys are damaged or cannot be read", directory);
    return false;
}

static bool write_file(const char *path, const char *text, GError **error)
{
    g_autofree char *old = NULL;
    g_autoptr(GError) problem = NULL;
    if (g_file_get_contents(path, &old, NULL, NULL) && strcmp(old, text) == 0)
        return true;
    if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &problem))
        return true;
    berth_error_set(error, BERTH_ERROR_FAILED, "ssh.keys.write", NULL, "%s", problem->message);
    return false;
}

/* ssh looks up the name in lower case. */
static bool write_known_hosts(const char *path, const char *directory, const BerthDistro *distro,
                              GError **error)
{
    g_autofree char *key = read_public(directory, HOST_KEY ".pub");
    g_autofree char *name = g_ascii_strdown(distro->name, -1);
    if (key == NULL)
        return set_damaged(error, directory);
    g_autofree char *line = g_strdup_printf("%s.berth %s\n", name, key);
    return write_file(path, line, error);
}

static bool read_keys(const char *directory, BerthSshKeys *keys)
{
    keys->client_key = g_build_filename(directory, CLIENT_KEY, NULL);
    keys->known_hosts = g_build_filename(directory, KNOWN_HOSTS, NULL);
    keys->host_key = read_file(directory, HOST_KEY);
    keys->public_key = read_public(directory, CLIENT_KEY ".pub");
    keys->dropbear_key = keys->host_key != NULL ? berth_ssh_key_for_dropbear(keys->host_key) : NULL;
    return keys->public_key != NULL && keys->dropbear_key != NULL &&
           access(keys->client_key, R_OK) == 0;
}

BerthSshKeys *berth_ssh_keys_make(const BerthLayout *layout, const BerthDistro *distro,
                                  GError **error)
{
    g_autofree char *directory = berth_layout_ssh(layout, distro->id);
    if (!make_directory(layout, distro->id, directory, error))
        return NULL;
    g_autoptr(BerthSshKeys) keys = g_new0(BerthSshKeys, 1);
    if (!read_keys(directory, keys)) {
        set_damaged(error, directory);
        return NULL;
    }
    if (!write_known_hosts(keys->known_hosts, directory, distro, error))
        return NULL;
    return g_steal_pointer(&keys);
}

void berth_ssh_keys_free(BerthSshKeys *keys)
{
    if (keys == NULL)
        return;
    g_free(keys->client_key);
    g_free(keys->known_hosts);
    g_free(keys->public_key);
    g_free(keys->host_key);
    g_free(keys->dropbear_key);
    g_free(keys);
}

/* --- the default user --- */

char *berth_ssh_keys_user(const BerthLayout *layout, const char *id)
{
    g_autofree char *directory = berth_layout_ssh(layout, id);
    g_autofree char *text = read_file(directory, USER);
    return text != NULL && g_strchomp(text)[0] != '\0' ? g_steal_pointer(&text) : NULL;
}

void berth_ssh_keys_set_user(const BerthLayout *layout, const char *id, const char *user)
{
    g_autofree char *directory = berth_layout_ssh(layout, id);
    g_autofree char *path = g_build_filename(directory, USER, NULL);
    g_autofree char *line = g_strconcat(user, "\n", NULL);
    if (g_file_test(directory, G_FILE_TEST_IS_DIR))
        write_file(path, line, NULL);
}

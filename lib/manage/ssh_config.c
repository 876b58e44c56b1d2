/* SPDX-License-Identifier: MIT */
#include "ssh_config.h"

#include "base/error.h"
#include "disk/file/temp.h"
#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_MODE 0600

/* --- words --- */

bool berth_ssh_config_check(const char *path, GError **error)
{
    if (strpbrk(path, "\r\n") == NULL)
        return true;
    g_autofree char *shown = g_strescape(path, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "ssh.path",
                    "install berth, or keep its data, in a directory without a line break",
                    "%s: ssh's configuration cannot have a line break in a path", shown);
    return false;
}

/* @text with @escape before each of @special. */
static char *escape_each(const char *text, const char *special, char escape)
{
    GString *escaped = g_string_new(NULL);
    for (const char *c = text; *c != '\0'; c++) {
        if (strchr(special, *c) != NULL)
            g_string_append_c(escaped, escape);
        g_string_append_c(escaped, *c);
    }
    return g_string_free(escaped, FALSE);
}

/* % begins one of ssh's tokens. */
static char *without_tokens(const char *text)
{
    return escape_each(text, "%", '%');
}

/* A file's name: in quotes, with tokens. */
static char *file_word(const char *path)
{
    g_autofree char *plain = without_tokens(path);
    g_autofree char *inner = escape_each(plain, "\"\\", '\\');
    return g_strdup_printf("\"%s\"", inner);
}

/* A program's name in a line for the user's shell, with tokens. */
static char *program_word(const char *path)
{
    g_autofree char *word = g_shell_quote(path);
    return without_tokens(word);
}

/* --- text --- */

static char *host_patterns(const char *name)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);
    bool same = strcmp(name, lower) == 0;
    return g_strdup_printf("%s" BERTH_SSH_SUFFIX "%s%s%s", name, same ? "" : " ", same ? "" : lower,
                           same ? "" : BERTH_SSH_SUFFIX);
}

char *berth_ssh_config_host(const BerthSshHost *host)
{
    g_autofree char *patterns = host_patterns(host->name);
    g_autofree char *program = program_word(host->program);
    g_autofree char *key = file_word(host->client_key);
    g_autofree char *known = file_word(host->known_hosts);
    return g_strdup_printf("Host %s\n"
                           "    User %s\n"
                           "    ProxyCommand %s ssh-proxy %s %%r\n"
                           "    IdentityFile %s\n"
                           "    IdentitiesOnly yes\n"
                           "    UserKnownHostsFile %s\n"
                           "    GlobalKnownHostsFile /dev/null\n"
                           "    HostKeyAlgorithms ssh-ed25519\n"
                           "    StrictHostKeyChecking yes\n",
                           patterns, host->user, program, host->name, key, known);
}

char *berth_ssh_config_others(const char *program)
{
    g_autofree char *word = program_word(program);
    return g_strdup_printf("Host *" BERTH_SSH_SUFFIX "\n"
                           "    ProxyCommand %s ssh-proxy %%n %%r\n",
                           word);
}

/* Include's words are patterns of glob(7), and have no tokens. */
char *berth_ssh_config_include(const char *path)
{
    g_autofree char *literal = escape_each(path, "*?[\\", '\\');
    g_autofree char *inner = escape_each(literal, "\"\\", '\\');
    return g_strdup_printf("Include \"%s\"", inner);
}

static bool begins_block(const char *line)
{
    gsize length = strcspn(line, " \t=\r");
    return (length == 4 && g_ascii_strncasecmp(line, "host", 4) == 0) ||
           (length == 5 && g_ascii_strncasecmp(line, "match", 5) == 0);
}

/* Behind a Host or a Match the line would be for those hosts only. */
static bool has_line(const char *text, const char *wanted)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (gsize i = 0; lines[i] != NULL; i++) {
        const char *line = g_strstrip(lines[i]);
        if (strcmp(line, wanted) == 0)
            return true;
        if (begins_block(line))
            return false;
    }
    return false;
}

char *berth_ssh_config_with(const char *text, const char *include)
{
    if (has_line(text, include))
        return NULL;
    return g_strdup_printf("%s\n%s%s", include, text[0] != '\0' ? "\n" : "", text);
}

/* --- files --- */

static bool set_errno(GError **error, const char *path)
{
    berth_error_set_errno(error, errno, "ssh.config", "%s", path);
    return false;
}

static bool make_parent(const char *path, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    return g_mkdir_with_parents(directory, 0700) == 0 || set_errno(error, directory);
}

static bool replace(const char *path, const char *text, mode_t mode, GError **error)
{
    g_autoptr(BerthTemp) temp = berth_temp_new_for("ssh.config", path, BERTH_TEMP_REPLACE, error);
    if (temp == NULL)
        return false;
    if (berth_fd_write_all(berth_temp_fd(temp), text, strlen(text)) < 0 ||
        fchmod(berth_temp_fd(temp), mode) < 0)
        return set_errno(error, path);
    return berth_temp_commit(temp, error);
}

bool berth_ssh_config_write(const char *path, const char *text, GError **error)
{
    g_autofree char *old = NULL;
    if (g_file_get_contents(path, &old, NULL, NULL) && strcmp(old, text) == 0)
        return true;
    return make_parent(path, error) && replace(path, text, DEFAULT_MODE, error);
}

/* Where @config's content is: through links, which stay. */
static char *find_target(const char *config, GError **error)
{
    char *target = realpath(config, NULL);
    if (target == NULL && errno != ENOENT) {
        set_errno(error, config);
        return NULL;
    }
    char *found = g_strdup(target != NULL ? target : config);
    free(target);
    return found;
}

/* The user's text and mode; "" for a file that is not there. */
static char *read_config(const char *target, mode_t *ret_mode, GError **error)
{
    struct stat st;
    char *text = NULL;
    gsize size = 0;
    *ret_mode = DEFAULT_MODE;
    if (lstat(target, &st) < 0) {
        if (errno == ENOENT)
            return g_strdup("");
        set_errno(error, target);
        return NULL;
    }
    *ret_mode = st.st_mode & 0777;
    g_autoptr(GError) problem = NULL;
    if (S_ISREG(st.st_mode) && g_file_get_contents(target, &text, &size, &problem) &&
        strlen(text) == size)
        return text;
    g_free(text);
    berth_error_set(error, BERTH_ERROR_INVALID, "ssh.config", NULL, "%s: %s", target,
                    problem != NULL ? problem->message : "it is not a text file");
    return NULL;
}

/* A file that its owner has made read-only is left alone, although it could be replaced. */
static bool may_write(const char *target, const char *include, GError **error)
{
    if (access(target, W_OK) == 0 || errno == ENOENT)
        return true;
    g_autofree char *hint = g_strdup_printf("put this line at its top: %s", include);
    berth_error_set(error, BERTH_ERROR_DENIED, "ssh.config.read-only", hint,
                    "%s cannot be written: %s", target, g_strerror(errno));
    return false;
}

static bool add_line(const char *config, const char *include, bool *ret_added, GError **error)
{
    mode_t mode;
    g_autofree char *target = find_target(config, error);
    g_autofree char *old = target != NULL ? read_config(target, &mode, error) : NULL;
    if (old == NULL)
        return false;
    g_autofree char *text = berth_ssh_config_with(old, include);
    if (text == NULL)
        return true;
    *ret_added = may_write(target, include, error) && make_parent(target, error) &&
                 replace(target, text, mode, error);
    return *ret_added;
}

bool berth_ssh_config_install(const char *path, const char *text, const char *config,
                              bool *ret_added, GError **error)
{
    g_autofree char *include = berth_ssh_config_include(path);
    *ret_added = false;
    return berth_ssh_config_check(path, error) && berth_ssh_config_write(path, text, error) &&
           add_line(config, include, ret_added, error);
}

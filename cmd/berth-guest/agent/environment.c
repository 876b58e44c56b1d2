/* SPDX-License-Identifier: MIT */
#include "environment.h"

#include "gpg_socket.h"
#include "calls.h"
#include "offer.h"

#include "os/programs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define USER_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"

/* Set "NAME=value", replacing an older value. Ignores malformed strings. */
static void set_pair(Environment *environment, const char *pair)
{
    const char *equals = strchr(pair, '=');
    if (equals == NULL || equals == pair)
        return;

    char *copy = strdup(pair);
    if (copy == NULL)
        return;
    size_t name_size = (size_t)(equals - pair) + 1;
    for (size_t i = 0; i < environment->count; i++) {
        if (strncmp(environment->strings[i], pair, name_size) == 0) {
            free(environment->strings[i]);
            environment->strings[i] = copy;
            return;
        }
    }
    char **grown = realloc(environment->strings, (environment->count + 2) * sizeof(char *));
    if (grown == NULL) {
        free(copy);
        return;
    }
    grown[environment->count++] = copy;
    grown[environment->count] = NULL;
    environment->strings = grown;
}

static void set(Environment *environment, const char *name, const char *value)
{
    char *pair;
    if (asprintf(&pair, "%s=%s", name, value) < 0)
        return;
    set_pair(environment, pair);
    free(pair);
}

static bool is_locale(const char *pair)
{
    static const char *const names[] = {"LANG=", "LANGUAGE=", "LC_"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(pair, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* ---- files ---- */

/* Parse a line as pam_env does: NAME=value or export NAME="value", # starts a comment line. Returns
 * the pair, or NULL. */
static char *parse_line(char *line)
{
    line += strspn(line, " \t");
    line[strcspn(line, "\r\n")] = '\0';
    if (strncmp(line, "export ", 7) == 0)
        line += 7;
    char *value = strchr(line, '=');
    if (line[0] == '#' || value == NULL)
        return NULL;
    value++;

    size_t length = strlen(value);
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        value[--length] = '\0';
    if (length >= 2 && (value[0] == '"' || value[0] == '\'') && value[length - 1] == value[0]) {
        memmove(value, value + 1, length - 2);
        value[length - 2] = '\0';
    }
    return line;
}

static void set_from_file(Environment *environment, const char *path, bool only_locale)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) >= 0) {
        const char *pair = parse_line(line);
        if (pair != NULL && (!only_locale || is_locale(pair)))
            set_pair(environment, pair);
    }
    free(line);
    fclose(file);
}

/* ---- the login session ---- */

/* Whether the service manager set @pair for the holder's process only, or another source sets it.
 * Compares whole names: SYSTEMD_EDITOR or MANAGERPIDFILE are the user's. Source:
 * systemd.exec(5), "Environment Variables Set or Propagated by the Service Manager". */
static bool is_the_logins_own(const char *pair)
{
    static const char *const names[] = {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "TERM",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "LOG_NAMESPACE",
        "SYSTEMD_EXEC_PID",
        "DEBUG_INVOCATION",
        "MAINPID",
        "MANAGERPID",
        "MANAGERPIDFDID",
        "MEMORY_PRESSURE_WATCH",
        "MEMORY_PRESSURE_WRITE",
        "NOTIFY_SOCKET",
    };
    size_t length = strcspn(pair, "=");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == length && strncmp(pair, names[i], length) == 0)
            return true;
    return false;
}

static void set_from_login(Environment *environment, pid_t login)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d/environ", login);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    char *pair = NULL;
    size_t size = 0;
    while (getdelim(&pair, &size, '\0', file) >= 0) {
        if (!is_the_logins_own(pair))
            set_pair(environment, pair);
    }
    free(pair);
    fclose(file);
}

/* Without logind or its PAM module, a user manager may run without a login session. */
static void set_runtime_directory(Environment *environment, const User *user)
{
    char directory[64], bus[80];
    struct stat info;
    snprintf(directory, sizeof(directory), "/run/user/%u", user->uid);
    if (environment_get(environment, "XDG_RUNTIME_DIR") == NULL && stat(directory, &info) == 0 &&
        info.st_uid == user->uid)
        set(environment, "XDG_RUNTIME_DIR", directory);

    snprintf(bus, sizeof(bus), "%s/bus", directory);
    if (environment_get(environment, "DBUS_SESSION_BUS_ADDRESS") == NULL &&
        environment_get(environment, "XDG_RUNTIME_DIR") != NULL && access(bus, F_OK) == 0) {
        snprintf(bus, sizeof(bus), "unix:path=%s/bus", directory);
        set(environment, "DBUS_SESSION_BUS_ADDRESS", bus);
    }
}

/* ---- the client ---- */

static bool owns_socket(const User *user, const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISSOCK(info.st_mode) && info.st_uid == user->uid;
}

static bool is_service(const char *pair)
{
    return strncmp(pair, "SSH_AUTH_SOCK=", 14) == 0 || strncmp(pair, "BROWSER=", 8) == 0 ||
           strncmp(pair, GPG_SOCKET_VARIABLE "=", strlen(GPG_SOCKET_VARIABLE "=")) == 0;
}

bool environment_serves(const User *user, const char *pair)
{
    const char *path = strchr(pair, '=') + 1;
    if (strncmp(pair, "BROWSER=", 8) != 0)
        return is_service(pair) && owns_socket(user, path);
    return access(path, X_OK) == 0 &&
           (user->uid == 0 || owns_socket(user, CALLS_SOCKET SSH_AGENT_SUFFIX));
}

/* Not in place of what the distro or the user has set. */
static void set_service(Environment *environment, const User *user, const char *pair)
{
    char name[16];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(pair, "="), pair);
    if (environment_get(environment, name) == NULL && environment_serves(user, pair))
        set_pair(environment, pair);
}

/* Fall back to C.UTF-8 when the distro lacks the client's locale: its terminal is UTF-8. */
static void set_offered(Environment *environment, const User *user, char *const *offered)
{
    bool speaks_utf8 = false;
    for (; offered != NULL && *offered != NULL; offered++) {
        if (is_service(*offered))
            set_service(environment, user, *offered);
        else if (offer_is_known(*offered))
            set_pair(environment, *offered);
        else
            speaks_utf8 = speaks_utf8 || (is_locale(*offered) && strcasestr(*offered, "UTF-8"));
    }
    if (speaks_utf8 && environment_get(environment, "LANG") == NULL)
        set(environment, "LANG", "C.UTF-8");
}

/* Behind the distro's own directories, whoever has set them. */
static void append_programs(Environment *environment)
{
    const char *path = environment_get(environment, "PATH");
    char *longer;
    if (path == NULL || path[0] == '\0' || access(PROGRAMS_DIRECTORY, F_OK) < 0 ||
        asprintf(&longer, "%s:" PROGRAMS_DIRECTORY, path) < 0)
        return;
    set(environment, "PATH", longer);
    free(longer);
}

Environment environment_build(const EnvironmentSources *sources)
{
    Environment environment = {0};
    const User *user = sources->user;
    set(&environment, "PATH", user->uid == 0 ? ROOT_PATH : USER_PATH);
    set(&environment, "HOME", user->home);
    set(&environment, "USER", user->name);
    set(&environment, "LOGNAME", user->name);
    set(&environment, "SHELL", user->shell);
    if (sources->tty)
        set(&environment, "TERM", "xterm-256color");
    set_from_file(&environment, "/etc/locale.conf", true);
    set_from_file(&environment, "/etc/default/locale", true);
    set_from_file(&environment, "/etc/environment", false);
    if (sources->login > 0)
        set_from_login(&environment, sources->login);
    append_programs(&environment);
    set_runtime_directory(&environment, user);
    set_offered(&environment, user, sources->offered);
    for (char *const *pair = sources->given; pair != NULL && *pair != NULL; pair++)
        set_pair(&environment, *pair);
    return environment;
}

const char *environment_get(const Environment *environment, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < environment->count; i++) {
        const char *pair = environment->strings[i];
        if (strncmp(pair, name, length) == 0 && pair[length] == '=')
            return pair + length + 1;
    }
    return NULL;
}

/* SPDX-License-Identifier: MIT */
#include "cron_command.h"

#include "housekeeping.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLANKS    " \t"
#define FILES_MAX 1000

/* Copy the path that @text begins with. Returns what follows, or NULL if there is none. */
static const char *read_path(const char *text, char *path, size_t size)
{
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+";
    size_t length = strspn(text, characters);
    if (text[0] != '/' || length >= size || text[1] == '\0')
        return NULL;
    snprintf(path, size, "%.*s", (int)length, text);
    return text + length;
}

/* Below @root, as if that were "/"; links are followed as they are. */
static bool has(int root, const char *path, char test)
{
    struct stat st;
    if (fstatat(root, path + 1, &st, 0) < 0)
        return false;
    return test == 'd' ? S_ISDIR(st.st_mode) : test != 'x' || (st.st_mode & 0111) != 0;
}

static const char *after_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(text, word, length) != 0)
        return NULL;
    return text + length + strspn(text + length, BLANKS);
}

/* Whether the test of a file that @text begins with ends the command: "test -x PATH ||",
 * "[ -x PATH ] &&". */
static bool is_ended_by_test(int root, const char *text)
{
    char path[PATH_MAX];
    bool has_bracket = text[0] == '[';
    const char *rest = after_word(text, has_bracket ? "[ " : "test ");
    bool negates = rest != NULL && rest[0] == '!';
    if (negates)
        rest = after_word(rest, "! ");
    if (rest == NULL || rest[0] != '-' || rest[1] == '\0' || strchr("defxs", rest[1]) == NULL ||
        rest[2] != ' ')
        return false;
    char test = rest[1];
    rest = read_path(rest + 2 + strspn(rest + 2, BLANKS), path, sizeof(path));
    if (rest == NULL)
        return false;
    rest += strspn(rest, BLANKS);
    if (has_bracket)
        rest = after_word(rest, "]");
    bool passes = rest != NULL && has(root, path, test) != negates;
    return rest != NULL &&
           ((passes && strncmp(rest, "||", 2) == 0) || (!passes && strncmp(rest, "&&", 2) == 0));
}

static bool is_worth_running(int directory, const char *name)
{
    struct stat st;
    return name[0] != '.' && !housekeeping_is_cron(name) && fstatat(directory, name, &st, 0) == 0 &&
           S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
}

static bool has_programs(int root, const char *path)
{
    bool found = false;
    int fd = openat(root, path + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    const struct dirent *entry;
    for (int i = 0; !found && i < FILES_MAX && (entry = readdir(directory)) != NULL; i++)
        found = is_worth_running(fd, entry->d_name);
    closedir(directory);
    return found;
}

/* Whether all that @command runs are the programs of a directory that has none. */
static bool runs_no_parts(int root, const char *command)
{
    char path[PATH_MAX];
    const char *parts = strstr(command, "run-parts ");
    const char *directory = parts != NULL ? strchr(parts, '/') : NULL;
    const char *rest = directory != NULL ? read_path(directory, path, sizeof(path)) : NULL;
    return rest != NULL && rest[strspn(rest, BLANKS ");}")] == '\0' && !has_programs(root, path);
}

bool cron_command_is_idle(int root, const char *command)
{
    return is_ended_by_test(root, command) || runs_no_parts(root, command);
}

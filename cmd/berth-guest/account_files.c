/* SPDX-License-Identifier: MIT */
#include "account_files.h"

#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FIELDS_MAX 7 /* of passwd */

enum { NAME, PASSWORD, ID, MEMBERS, HOME = 5, SHELL };

/* Each line of a file of fields in turn. */
typedef struct {
    char *text; /* free() it */
    char *rest;
    char *fields[FIELDS_MAX]; /* those that a line lacks are "" */
} Lines;

static void lines_begin(Lines *lines, const char *path)
{
    lines->text = lines->rest = file_read(path);
}

static bool lines_next(Lines *lines)
{
    char *line = lines->rest != NULL ? strsep(&lines->rest, "\n") : NULL;
    if (line == NULL)
        return false;
    for (size_t i = 0; i < FIELDS_MAX; i++) {
        char *field = line != NULL ? strsep(&line, ":") : NULL;
        lines->fields[i] = field != NULL ? field : (char *)"";
    }
    return true;
}

bool account_files_have(const char *path, const char *name)
{
    Lines lines;
    bool found = false;
    lines_begin(&lines, path);
    while (!found && lines_next(&lines))
        found = strcmp(lines.fields[NAME], name) == 0;
    free(lines.text);
    return found;
}

static bool has_id(const char *path, uid_t id)
{
    Lines lines;
    bool found = false;
    lines_begin(&lines, path);
    while (!found && lines_next(&lines))
        found = lines.fields[ID][0] != '\0' && strtoul(lines.fields[ID], NULL, 10) == id;
    free(lines.text);
    return found;
}

static bool is_usable_shell(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    return path[0] == '/' && strcmp(name, "nologin") != 0 && strcmp(name, "false") != 0 &&
           access(path, X_OK) == 0;
}

bool account_files_person(char *name, size_t size)
{
    Lines lines;
    bool found = false;
    lines_begin(&lines, "/etc/passwd");
    while (!found && lines_next(&lines)) {
        unsigned long id = strtoul(lines.fields[ID], NULL, 10);
        found = id >= ACCOUNT_FIRST_ID && id <= ACCOUNT_LAST_ID &&
                is_usable_shell(lines.fields[SHELL]) && strlen(lines.fields[NAME]) < size;
        if (found)
            strcpy(name, lines.fields[NAME]);
    }
    free(lines.text);
    return found;
}

uid_t account_files_free_id(uid_t wanted)
{
    uid_t id = wanted;
    for (uid_t next = ACCOUNT_FIRST_ID; has_id("/etc/passwd", id) || has_id("/etc/group", id);)
        id = next++;
    return id;
}

void account_files_shell(char *shell, size_t size)
{
    static const char *const usual[] = {"/bin/bash", "/usr/bin/bash", "/bin/ash"};
    Lines lines;
    snprintf(shell, size, "/bin/sh");
    for (size_t i = sizeof(usual) / sizeof(usual[0]); i > 0; i--)
        if (access(usual[i - 1], X_OK) == 0)
            snprintf(shell, size, "%s", usual[i - 1]);
    lines_begin(&lines, "/etc/passwd");
    while (lines_next(&lines))
        if (strcmp(lines.fields[ID], "0") == 0 && is_usable_shell(lines.fields[SHELL]) &&
            strlen(lines.fields[SHELL]) < size) {
            strcpy(shell, lines.fields[SHELL]);
            break;
        }
    free(lines.text);
}

/* ---- the home ---- */

static int copy_into(int from, const char *name, int into, const Account *account, bool top);

static int copy_file(int source, const struct stat *info, int into, const char *name,
                     const Account *account)
{
    int target = openat(into, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (target < 0)
        return errno == EEXIST ? 0 : -errno;
    off_t left = info->st_size;
    ssize_t sent = 1;
    while (left > 0 && sent > 0 && (sent = sendfile(target, source, NULL, (size_t)left)) > 0)
        left -= sent;
    int result = sent < 0 || fchown(target, account->id, account->id) < 0 ||
                         fchmod(target, info->st_mode & 07777) < 0
                     ? -errno
                     : 0;
    close(target);
    return result;
}

static int copy_link(int from, const char *name, int into, const Account *account)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);
    if (length < 0)
        return -errno;
    target[length] = '\0';
    if (symlinkat(target, into, name) < 0)
        return errno == EEXIST ? 0 : -errno;
    return fchownat(into, name, account->id, account->id, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* What is in the directory @source, into @target; both are closed. */
static int copy_entries(int source, int target, const Account *account)
{
    DIR *directory = fdopendir(source);
    int result = 0;
    struct dirent *entry;
    while (directory != NULL && result == 0 && (entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = copy_into(source, entry->d_name, target, account, false);
    if (directory != NULL)
        closedir(directory);
    close(target);
    return result;
}

/* @name of the directory @from becomes the same in @into; what is there already stays. At the @top
 * @into is the home itself. */
static int copy_into(int from, const char *name, int into, const Account *account, bool top)
{
    int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (source < 0)
        return errno == ELOOP ? copy_link(from, name, into, account) : -errno;
    struct stat info;
    int result = fstat(source, &info) < 0 ? -errno : 0;
    if (result == 0 && S_ISDIR(info.st_mode)) {
        if (!top && mkdirat(into, name, info.st_mode & 07777) == 0)
            fchownat(into, name, account->id, account->id, AT_SYMLINK_NOFOLLOW);
        int target = openat(into, top ? "." : name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return target < 0 ? -errno : copy_entries(source, target, account);
    }
    if (result == 0 && S_ISREG(info.st_mode))
        result = copy_file(source, &info, into, name, account);
    close(source);
    return result;
}

static int make_home(const Account *account)
{
    char parent[sizeof(account->home)];
    snprintf(parent, sizeof(parent), "%s", account->home);
    *strrchr(parent, '/') = '\0';
    int result = file_make_directories(parent, 0755);
    if (result < 0)
        return result;
    if (mkdir(account->home, 0700) < 0)
        return errno == EEXIST ? 0 : -errno; /* somebody's: left as it is */
    int home = open(account->home, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (home < 0)
        return -errno;
    if (fchown(home, account->id, account->id) < 0)
        result = -errno;
    if (result == 0 && access("/etc/skel", R_OK) == 0)
        result = copy_into(AT_FDCWD, "/etc/skel", home, account, true);
    close(home);
    return result;
}

/* ---- the files ---- */

/* Add @line to @path. One that is not there stays so, unless it @must be. */
static int add_line(const char *path, const char *line, bool must)
{
    char *text = NULL;
    char *old = file_read(path);
    if (old == NULL && (errno != ENOENT || !must))
        return errno == ENOENT ? 0 : -errno;
    size_t length = old != NULL ? strlen(old) : 0;
    const char *newline = length > 0 && old[length - 1] != '\n' ? "\n" : "";
    int result = asprintf(&text, "%s%s%s", old != NULL ? old : "", newline, line) < 0
                     ? -ENOMEM
                     : file_rewrite(path, text);
    free(text);
    free(old);
    return result;
}

/* Make @name a member of the group @group. */
static int join(const char *path, const char *group, const char *name)
{
    char *old = file_read(path);
    char *text = NULL;
    int result = old == NULL ? (errno == ENOENT ? 0 : -errno) : 0;
    size_t length = strlen(group);
    char *line = old;
    while (line != NULL && (strncmp(line, group, length) != 0 || line[length] != ':'))
        line = (line = strchr(line, '\n')) != NULL ? line + 1 : NULL;
    if (line != NULL) {
        char *end = line + strcspn(line, "\n");
        const char *comma = end[-1] == ':' ? "" : ",";
        result = asprintf(&text, "%.*s%s%s%s", (int)(end - old), old, comma, name, end) < 0
                     ? -ENOMEM
                     : file_rewrite(path, text);
        free(text);
    }
    free(old);
    return result;
}

int account_files_add(const Account *account)
{
    char passwd[512], group[64], shadow[128], gshadow[64];
    const char *name = account->name;
    long days = time(NULL) / (24L * 60 * 60);
    bool has_shadow = access("/etc/shadow", F_OK) == 0;
    snprintf(passwd, sizeof(passwd), "%s:%s:%u:%u::%s:%s\n", name, has_shadow ? "x" : "!",
             account->id, account->id, account->home, account->shell);
    snprintf(group, sizeof(group), "%s:x:%u:\n", name, account->id);
    snprintf(shadow, sizeof(shadow), "%s:!:%ld:0:99999:7:::\n", name, days);
    snprintf(gshadow, sizeof(gshadow), "%s:!::\n", name);

    int result = make_home(account);
    if (result == 0 && !account->group_is_there)
        result = add_line("/etc/group", group, true);
    if (result == 0 && !account->group_is_there)
        result = add_line("/etc/gshadow", gshadow, false);
    if (result == 0 && account->admin[0] != '\0')
        result = join("/etc/group", account->admin, name);
    if (result == 0 && account->admin[0] != '\0')
        result = join("/etc/gshadow", account->admin, name);
    if (result == 0 && !account_files_have("/etc/shadow", name))
        result = add_line("/etc/shadow", shadow, false);
    return result == 0 ? add_line("/etc/passwd", passwd, true) : result;
}

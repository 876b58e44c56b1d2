/* SPDX-License-Identifier: MIT */
#include "account_files.h"

#include "edit.h"

#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PASSWD     "etc/passwd"
#define GROUP      "etc/group"
#define SHADOW     "etc/shadow"
#define GSHADOW    "etc/gshadow"
#define SKEL       "etc/skel"
#define FIELDS_MAX 7 /* of passwd */

enum { NAME, PASSWORD, ID, MEMBERS, HOME = 5, SHELL };

/* Iterator over the lines of a file of colon-separated fields. */
typedef struct {
    FILE *file;
    char *line;
    size_t room;
    EditRange range;          /* of the line without its end, in the file */
    char last;                /* of the line */
    char *fields[FIELDS_MAX]; /* those that a line lacks are "" */
} Lines;

/* 0, or -errno; then the iterator is empty. */
static int lines_begin(Lines *lines, int root, const char *path)
{
    int fd = edit_open(root, path);
    *lines = (Lines){.file = file_stream(fd)};
    return fd < 0 ? fd : lines->file != NULL ? 0 : -ENOMEM;
}

static bool lines_next(Lines *lines)
{
    if (lines->file == NULL)
        return false;
    off_t begin = ftello(lines->file);
    ssize_t length = getline(&lines->line, &lines->room, lines->file);
    if (length <= 0)
        return false;
    if (lines->line[length - 1] == '\n')
        lines->line[--length] = '\0';
    lines->range = (EditRange){begin, begin + length};
    lines->last = length > 0 ? lines->line[length - 1] : '\0';
    char *rest = lines->line;
    for (size_t i = 0; i < FIELDS_MAX; i++) {
        char *field = rest != NULL ? strsep(&rest, ":") : NULL;
        lines->fields[i] = field != NULL ? field : (char *)"";
    }
    return true;
}

static void lines_end(Lines *lines)
{
    if (lines->file != NULL)
        fclose(lines->file);
    free(lines->line);
}

bool account_files_have(int root, const char *path, const char *name)
{
    Lines lines;
    bool found = false;
    lines_begin(&lines, root, path);
    while (!found && lines_next(&lines))
        found = strcmp(lines.fields[NAME], name) == 0;
    lines_end(&lines);
    return found;
}

static bool has_id(int root, const char *path, uid_t id)
{
    Lines lines;
    bool found = false;
    lines_begin(&lines, root, path);
    while (!found && lines_next(&lines))
        found = lines.fields[ID][0] != '\0' && strtoul(lines.fields[ID], NULL, 10) == id;
    lines_end(&lines);
    return found;
}

/* Whether the program at the absolute path @path exists below @root. */
static bool can_run(int root, const char *path)
{
    return path[0] == '/' && faccessat(root, path + 1, X_OK, 0) == 0;
}

static bool is_usable_shell(int root, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    return strcmp(name, "nologin") != 0 && strcmp(name, "false") != 0 && can_run(root, path);
}

bool account_files_person(int root, char *name, size_t size)
{
    Lines lines;
    bool found = false;
    lines_begin(&lines, root, PASSWD);
    while (!found && lines_next(&lines)) {
        unsigned long id = strtoul(lines.fields[ID], NULL, 10);
        found = id >= ACCOUNT_FIRST_ID && id <= ACCOUNT_LAST_ID &&
                is_usable_shell(root, lines.fields[SHELL]) && strlen(lines.fields[NAME]) < size;
        if (found)
            strcpy(name, lines.fields[NAME]);
    }
    lines_end(&lines);
    return found;
}

uid_t account_files_free_id(int root, uid_t wanted)
{
    uid_t id = wanted;
    for (uid_t next = ACCOUNT_FIRST_ID; has_id(root, PASSWD, id) || has_id(root, GROUP, id);)
        id = next++;
    return id;
}

void account_files_shell(int root, char *shell, size_t size)
{
    static const char *const usual[] = {"/bin/bash", "/usr/bin/bash", "/bin/ash"};
    Lines lines;
    snprintf(shell, size, "/bin/sh");
    for (size_t i = sizeof(usual) / sizeof(usual[0]); i > 0; i--)
        if (can_run(root, usual[i - 1]))
            snprintf(shell, size, "%s", usual[i - 1]);
    lines_begin(&lines, root, PASSWD);
    while (lines_next(&lines))
        if (strcmp(lines.fields[ID], "0") == 0 && is_usable_shell(root, lines.fields[SHELL]) &&
            strlen(lines.fields[SHELL]) < size) {
            strcpy(shell, lines.fields[SHELL]);
            break;
        }
    lines_end(&lines);
}

/* ---- home directory ---- */

static int copy_into(int from, const char *name, int into, const Account *account, bool top);

static int copy_file(int source, const struct stat *info, int into, const char *name,
                     const Account *account)
{
    int target = openat(into, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (target < 0)
        return errno == EEXIST ? 0 : -errno;
    int result = file_copy_bytes(source, target);
    if (result == 0 &&
        (fchown(target, account->id, account->id) < 0 || fchmod(target, info->st_mode & 07777) < 0))
        result = -errno;
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

/* Copy the content of @source into @target. Closes both. */
static int copy_entries(int source, int target, const Account *account)
{
    DIR *directory = fdopendir(source);
    int result = directory != NULL ? 0 : -errno;
    struct dirent *entry;
    while (directory != NULL && result == 0 && (entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = copy_into(source, entry->d_name, target, account, false);
    if (directory != NULL)
        closedir(directory);
    else
        close(source);
    close(target);
    return result;
}

/* Copy @name from @from into @into, keeping what exists there. @top: @into is the home itself. */
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
        if (target >= 0)
            return copy_entries(source, target, account);
        result = -errno;
    }
    if (result == 0 && S_ISREG(info.st_mode))
        result = copy_file(source, &info, into, name, account);
    close(source);
    return result;
}

static int make_home(int root, const Account *account)
{
    const char *path = account->home + 1; /* relative to @root */
    char parent[sizeof(account->home)];
    snprintf(parent, sizeof(parent), "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        *slash = '\0';
        int made = file_make_directories_at(root, parent, 0755);
        if (made < 0)
            return made;
    }
    if (mkdirat(root, path, 0700) < 0)
        return errno == EEXIST ? 0 : -errno; /* an existing home is left alone */
    int home = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (home < 0)
        return -errno;
    int result = fchown(home, account->id, account->id) < 0 ? -errno : 0;
    if (result == 0 && faccessat(root, SKEL, R_OK, 0) == 0)
        result = copy_into(root, SKEL, home, account, true);
    close(home);
    return result;
}

/* ---- the files ---- */

static bool exists_below(int root, const char *path)
{
    struct stat info;
    return fstatat(root, path, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Append @line to @path if the file exists. */
static int add_line(int root, const char *path, const char *line)
{
    return exists_below(root, path) ? edit_append(root, path, line) : 0;
}

/* Add @name to the group @group if it exists. */
static int join(int root, const char *path, const char *group, const char *name)
{
    Lines lines;
    char member[40];
    int result = lines_begin(&lines, root, path);
    if (result == -ENOENT)
        result = 0;
    while (lines_next(&lines)) {
        if (strcmp(lines.fields[NAME], group) != 0)
            continue;
        const EditRange end = {lines.range.end, lines.range.end};
        snprintf(member, sizeof(member), "%s%s", lines.last == ':' ? "" : ",", name);
        result = edit_splice(root, path, end, member);
        break;
    }
    lines_end(&lines);
    return result;
}

int account_files_prepare(int root)
{
    char shell[256];
    char passwd[300];
    if (!exists_below(root, PASSWD)) {
        account_files_shell(root, shell, sizeof(shell));
        snprintf(passwd, sizeof(passwd), "root:%s:0:0:root:/root:%s\n",
                 exists_below(root, SHADOW) ? "x" : "!", shell);
        int result = file_replace_at(root, PASSWD, passwd, 0644);
        if (result < 0)
            return result;
    }
    return exists_below(root, GROUP) ? 0 : file_replace_at(root, GROUP, "root:x:0:\n", 0644);
}

int account_files_add(int root, const Account *account)
{
    char passwd[512], group[64], shadow[128], gshadow[64];
    const char *name = account->name;
    long days = time(NULL) / (24L * 60 * 60);
    snprintf(passwd, sizeof(passwd), "%s:%s:%u:%u::%s:%s\n", name,
             exists_below(root, SHADOW) ? "x" : "!", account->id, account->id, account->home,
             account->shell);
    snprintf(group, sizeof(group), "%s:x:%u:\n", name, account->id);
    snprintf(shadow, sizeof(shadow), "%s:!:%ld:0:99999:7:::\n", name, days);
    snprintf(gshadow, sizeof(gshadow), "%s:!::\n", name);

    int result = make_home(root, account);
    if (result == 0 && !account->group_is_there)
        result = add_line(root, GROUP, group);
    if (result == 0 && !account->group_is_there)
        result = add_line(root, GSHADOW, gshadow);
    if (result == 0 && account->admin[0] != '\0')
        result = join(root, GROUP, account->admin, name);
    if (result == 0 && account->admin[0] != '\0')
        result = join(root, GSHADOW, account->admin, name);
    if (result == 0 && !account_files_have(root, SHADOW, name))
        result = add_line(root, SHADOW, shadow);
    return result == 0 ? add_line(root, PASSWD, passwd) : result;
}

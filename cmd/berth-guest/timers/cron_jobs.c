/* SPDX-License-Identifier: MIT */
#include "cron_jobs.h"

#include "cron_command.h"
#include "crontab.h"
#include "housekeeping.h"

#include "os/clock.h"
#include "os/file.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX      (256u * 1024u) /* of a crontab, as Vixie's cron */
#define FILES_MAX     1000           /* in a directory */
#define PROCESSES_MAX 100000
#define SPARE_SEC     5u  /* a wake may take a while */
#define HOLD_SEC      65u /* a daemon that slept on over the minute is late by up to one */

typedef struct {
    int root;
    time_t now;
    time_t until;
    uint64_t deadline;
    bool has_zones;
    Due due;
} Search;

/* ---- the daemon ---- */

static bool is_busybox(int proc, const char *pid)
{
    char path[64], program[PATH_MAX];
    snprintf(path, sizeof(path), "%.20s/exe", pid);
    ssize_t size = readlinkat(proc, path, program, sizeof(program) - 1);
    if (size < 0)
        return false;
    program[size] = '\0';
    return strstr(program, "busybox") != NULL;
}

/* A process of the name is enough, whoever's it is: at worst the distro wakes in vain. */
static bool is_daemon(int proc, const char *pid, bool *ret_has_zones)
{
    char path[64], name[32];
    snprintf(path, sizeof(path), "%.20s/comm", pid);
    if (!file_read_line_at(proc, path, name, sizeof(name)))
        return false;
    bool is_crond = strcmp(name, "crond") == 0;
    *ret_has_zones = (is_crond && !is_busybox(proc, pid)) || strcmp(name, "cronie") == 0;
    return is_crond || strcmp(name, "cron") == 0 || strcmp(name, "cronie") == 0;
}

static DIR *open_directory(int root, const char *path)
{
    int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL && fd >= 0)
        close(fd);
    return directory;
}

static bool daemon_runs(int root, bool *ret_has_zones)
{
    bool found = false;
    DIR *proc = open_directory(root, "proc");
    if (proc == NULL)
        return false;
    const struct dirent *entry;
    for (int i = 0; !found && i < PROCESSES_MAX && (entry = readdir(proc)) != NULL; i++)
        found = isdigit((unsigned char)entry->d_name[0]) &&
                is_daemon(dirfd(proc), entry->d_name, ret_has_zones);
    closedir(proc);
    return found;
}

/* ---- crontabs ---- */

/* All of a regular file of at most TEXT_MAX; free() it. NULL: it is none. */
static char *read_crontab(int directory, const char *name)
{
    struct stat st;
    int fd = openat(directory, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    char *text = NULL;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= TEXT_MAX)
        text = malloc(TEXT_MAX + 1);
    ssize_t size = text != NULL ? pread(fd, text, TEXT_MAX, 0) : 0;
    if (text != NULL)
        text[size > 0 ? size : 0] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

static bool is_idle(void *data, const char *command)
{
    const Search *search = data;
    return cron_command_is_idle(search->root, command);
}

static void search_file(Search *search, int directory, const char *name, bool has_users,
                        const char *shown)
{
    const CrontabStyle style = {.has_users = has_users, .has_zones = search->has_zones};
    if (clock_boottime_usec() >= search->deadline)
        return;
    char *text = read_crontab(directory, name);
    time_t at =
        text != NULL ? crontab_next(text, &style, is_idle, search, search->now, search->until) : -1;
    free(text);
    if (at < 0)
        return;
    Due due = {.sec = at, .lead_sec = cron_jobs_lead(search->now), .hold_sec = HOLD_SEC};
    snprintf(due.name, sizeof(due.name), "cron job of %s", shown);
    due_take_earlier(&search->due, &due);
}

/* Whether a package manager or an editor left the file @name, which cron does not read. */
static bool is_leftover(const char *name)
{
    size_t length = strlen(name);
    return name[0] == '.' || name[0] == '#' || name[length - 1] == '~' ||
           strstr(name, ".rpm") != NULL || strstr(name, ".dpkg-") != NULL ||
           strstr(name, ".apk-new") != NULL || strcmp(name, "cron.update") == 0;
}

static const struct {
    const char *path;
    bool has_users;
} directories[] = {
    {"etc/cron.d", true},           {"var/spool/cron/crontabs", false}, /* Debian, busybox */
    {"var/spool/cron", false},                                          /* Fedora, Arch */
    {"var/spool/cron/tabs", false},                                     /* SUSE */
    {"etc/crontabs", false},                                            /* Alpine */
};

static void search_directory(Search *search, const char *path, bool has_users)
{
    char shown[DUE_NAME_SIZE];
    DIR *directory = open_directory(search->root, path);
    if (directory == NULL)
        return;
    const struct dirent *entry;
    for (int i = 0; i < FILES_MAX && (entry = readdir(directory)) != NULL; i++) {
        const char *name = entry->d_name;
        if (is_leftover(name) || (has_users && housekeeping_is_cron(name)))
            continue;
        snprintf(shown, sizeof(shown), "%s%s%s", has_users ? "/" : "", has_users ? path : "",
                 has_users ? "/" : "");
        strncat(shown, name, sizeof(shown) - strlen(shown) - 1);
        search_file(search, dirfd(directory), name, has_users, shown);
    }
    closedir(directory);
}

void cron_jobs_next(int root, time_t now, time_t until, uint64_t deadline, Due *ret_due)
{
    Search search = {.root = root, .now = now, .until = until, .deadline = deadline};
    if (daemon_runs(root, &search.has_zones)) {
        tzset();
        search_file(&search, root, "etc/crontab", true, "/etc/crontab");
        for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
            search_directory(&search, directories[i].path, directories[i].has_users);
    }
    *ret_due = search.due;
}

uint32_t cron_jobs_lead(time_t now)
{
    return 60 - (uint32_t)(now % 60) + SPARE_SEC;
}

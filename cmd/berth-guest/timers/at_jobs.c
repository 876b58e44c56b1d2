/* SPDX-License-Identifier: MIT */
#include "at_jobs.h"

#include "os/clock.h"
#include "os/file.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NUMBER_DIGITS 5
#define MINUTE_DIGITS 8
#define FILES_MAX     10000
#define LEAD_SEC      5u  /* a wake may take a while */
#define HOLD_SEC      15u /* atd looks after the wake, and then at the minute */

/* The digits of @text, which must be @count; false: others are among them. */
static bool read_hex(const char *text, size_t count, uint64_t *ret_value)
{
    *ret_value = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isxdigit((unsigned char)text[i]))
            return false;
        int digit = tolower((unsigned char)text[i]);
        *ret_value = *ret_value * 16 + (uint64_t)(isdigit(digit) ? digit - '0' : digit - 'a' + 10);
    }
    return true;
}

bool at_jobs_parse(const char *name, uint32_t *ret_number, int64_t *ret_sec)
{
    uint64_t number, minute;
    if (strlen(name) != 1 + NUMBER_DIGITS + MINUTE_DIGITS || !isalpha((unsigned char)name[0]) ||
        !read_hex(name + 1, NUMBER_DIGITS, &number) ||
        !read_hex(name + 1 + NUMBER_DIGITS, MINUTE_DIGITS, &minute))
        return false;
    *ret_number = (uint32_t)number;
    *ret_sec = (int64_t)minute * 60;
    return true;
}

/* The pid of the running atd; 0: there is none. Its file may be old, so the name decides too. */
static pid_t find_daemon(int root)
{
    static const char *const files[] = {"run/atd.pid", "var/run/atd.pid"};
    char line[32], path[64], name[32];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (!file_read_line_at(root, files[i], line, sizeof(line)))
            continue;
        int pid = atoi(line);
        snprintf(path, sizeof(path), "proc/%d/comm", pid);
        if (pid > 1 && file_read_line_at(root, path, name, sizeof(name)) &&
            strcmp(name, "atd") == 0)
            return pid;
    }
    return 0;
}

static void search_directory(DIR *directory, int64_t now, int64_t until, uint64_t deadline,
                             Due *due)
{
    const struct dirent *entry;
    for (int i = 0;
         i < FILES_MAX && clock_boottime_usec() < deadline && (entry = readdir(directory)) != NULL;
         i++) {
        uint32_t number;
        Due job = {.lead_sec = LEAD_SEC, .hold_sec = HOLD_SEC};
        if (!at_jobs_parse(entry->d_name, &number, &job.sec) || job.sec <= now || job.sec > until)
            continue;
        snprintf(job.name, sizeof(job.name), "at job %u", number);
        due_take_earlier(due, &job);
    }
}

void at_jobs_next(int root, int64_t now, int64_t until, uint64_t deadline, Due *ret_due)
{
    static const char *const spools[] = {"var/spool/cron/atjobs", /* Debian */
                                         "var/spool/at",          /* Fedora, Arch */
                                         "var/spool/atjobs"};     /* SUSE */
    *ret_due = (Due){0};
    if (find_daemon(root) == 0)
        return;
    for (size_t i = 0; i < sizeof(spools) / sizeof(spools[0]); i++) {
        int fd = openat(root, spools[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
        if (directory != NULL) {
            search_directory(directory, now, until, deadline, ret_due);
            closedir(directory);
        } else if (fd >= 0) {
            close(fd);
        }
    }
}

void at_jobs_nudge(const char *root)
{
    int directory = open(root[0] != '\0' ? root : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pid_t pid = directory >= 0 ? find_daemon(directory) : 0;
    if (pid != 0)
        kill(pid, SIGHUP);
    if (directory >= 0)
        close(directory);
}

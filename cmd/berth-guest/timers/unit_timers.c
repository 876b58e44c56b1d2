/* SPDX-License-Identifier: MIT */
#include "unit_timers.h"

#include "housekeeping.h"

#include "os/clock.h"
#include "os/program.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LATE_SEC      3600u /* a timer that may be so late may wait for the next wake */
#define ACCURATE_SEC  60u   /* systemd's default; it fires in the last minute of a longer span */
#define DAY_SEC       86400u
#define LEAD_SEC      5u
#define GRACE_SEC     5u
#define LINE_MAX_SIZE 512u
#define USERS_MAX     64

/* ---- values ---- */

static const struct {
    const char *unit;
    uint64_t sec;
} units[] = {
    {"y", 31557600}, {"month", 2629800}, {"w", 604800}, {"d", 86400}, {"h", 3600},
    {"min", 60},     {"s", 1},           {"ms", 0},     {"us", 0},
};

static bool unit_sec(const char *unit, size_t length, uint64_t *ret_sec)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strlen(units[i].unit) == length && strncmp(units[i].unit, unit, length) == 0) {
            *ret_sec = units[i].sec;
            return true;
        }
    return false;
}

uint64_t unit_timers_span(const char *text)
{
    uint64_t total = 0;
    if (strcmp(text, "0") == 0)
        return 0;
    while (*text != '\0') {
        char *end;
        uint64_t sec,
            number = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : UINT64_MAX;
        if (number > UINT32_MAX)
            return UINT64_MAX; /* also "infinity" */
        if (*end == '.')       /* a fraction of a second */
            end += 1 + strspn(end + 1, "0123456789");
        size_t length = strcspn(end, " ");
        if (!unit_sec(end, length, &sec))
            return UINT64_MAX;
        total += number * sec;
        text = end + length + strspn(end + length, " ");
    }
    return total;
}

int64_t unit_timers_timestamp(const char *text)
{
    struct tm when = {0};
    char end = '\0';
    if (sscanf(text, "%*3s %4d-%2d-%2d %2d:%2d:%2d UT%c", &when.tm_year, &when.tm_mon,
               &when.tm_mday, &when.tm_hour, &when.tm_min, &when.tm_sec, &end) != 7 ||
        end != 'C')
        return 0;
    when.tm_year -= 1900;
    when.tm_mon -= 1;
    time_t sec = timegm(&when);
    return sec > 0 ? sec : 0;
}

/* ---- properties ---- */

/* The timer's own tolerance decides: accuracy and random delay together. */
static bool wakes(const UnitTimer *timer)
{
    bool is_patient =
        timer->accuracy_sec >= LATE_SEC || timer->random_sec >= LATE_SEC - timer->accuracy_sec;
    return timer->wakes || (!is_patient && !housekeeping_is_timer(timer->unit));
}

static void complete(const UnitTimer *timer, Due *due)
{
    if (timer->elapse_sec == 0 || timer->unit[0] == '\0' || !wakes(timer))
        return;
    uint64_t span = timer->accuracy_sec < DAY_SEC ? timer->accuracy_sec : DAY_SEC;
    uint64_t accuracy = span < ACCURATE_SEC ? span : ACCURATE_SEC;
    Due other = {
        .sec = timer->elapse_sec + (int64_t)(span - accuracy),
        .lead_sec = LEAD_SEC,
        .hold_sec = (uint32_t)accuracy + GRACE_SEC,
    };
    memcpy(other.name, timer->unit, sizeof(other.name));
    due_take_earlier(due, &other);
}

static const char *value_of(const char *line, const char *property)
{
    size_t length = strlen(property);
    return strncmp(line, property, length) == 0 && line[length] == '=' ? line + length + 1 : NULL;
}

void unit_timers_line(UnitTimer *timer, const char *line, Due *due)
{
    const char *value;
    if (line[0] == '\0') {
        complete(timer, due);
        *timer = (UnitTimer){0};
    } else if ((value = value_of(line, "Id")) != NULL) {
        snprintf(timer->unit, sizeof(timer->unit), "%.*s", (int)sizeof(timer->unit) - 1, value);
    } else if ((value = value_of(line, "NextElapseUSecRealtime")) != NULL) {
        timer->elapse_sec = unit_timers_timestamp(value);
    } else if ((value = value_of(line, "AccuracyUSec")) != NULL) {
        timer->accuracy_sec = unit_timers_span(value);
    } else if ((value = value_of(line, "RandomizedDelayUSec")) != NULL) {
        timer->random_sec = unit_timers_span(value);
    } else if ((value = value_of(line, "WakeSystem")) != NULL) {
        timer->wakes = strcmp(value, "yes") == 0;
    }
}

/* ---- asking ---- */

typedef struct {
    const char *root;
    uid_t uid; /* whose manager; with @is_user */
    gid_t gid;
    bool is_user;
} Manager;

static void become_user(const Manager *manager)
{
    char directory[64];
    snprintf(directory, sizeof(directory), "/run/user/%u", (unsigned)manager->uid);
    setenv("XDG_RUNTIME_DIR", directory, 1);
    unsetenv("DBUS_SESSION_BUS_ADDRESS");
    if (manager->uid == getuid())
        return;
    if (setgroups(0, NULL) < 0 || setresgid(manager->gid, manager->gid, manager->gid) < 0 ||
        setresuid(manager->uid, manager->uid, manager->uid) < 0)
        _exit(EXIT_FAILURE);
}

/* In a child; it ends with its parent, which a thaw kills. */
static void become_systemctl(const Manager *manager, pid_t parent, int output)
{
    char program[PATH_MAX];
    snprintf(program, sizeof(program), "%s/usr/bin/systemctl", manager->root);
    program_become(output);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDERR_FILENO);
    if (manager->is_user)
        become_user(manager);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    setenv("TZ", "UTC", 1); /* of the times that it prints */
    setenv("LC_ALL", "C", 1);
    execl(program, "systemctl", manager->is_user ? "--user" : "--system", "--no-pager", "show",
          "--property=Id,NextElapseUSecRealtime,AccuracyUSec,RandomizedDelayUSec,WakeSystem",
          "*.timer", NULL);
    _exit(127);
}

/* Longer lines are those of no property that counts. */
typedef struct {
    char line[LINE_MAX_SIZE];
    size_t length;
    UnitTimer timer;
    Due *due;
} Answer;

static void take_bytes(Answer *answer, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n') {
            answer->line[answer->length] = '\0';
            unit_timers_line(&answer->timer, answer->line, answer->due);
            answer->length = 0;
        } else if (answer->length < sizeof(answer->line) - 1) {
            answer->line[answer->length++] = bytes[i];
        }
    }
}

/* Until EOF. False: @deadline comes first. */
static bool read_answer(int fd, uint64_t deadline, Due *due)
{
    char bytes[4096];
    Answer answer = {.due = due};
    for (;;) {
        uint64_t now = clock_boottime_usec();
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (now >= deadline || poll(&wait, 1, (int)((deadline - now) / 1000) + 1) <= 0)
            return false;
        ssize_t size = read(fd, bytes, sizeof(bytes));
        if (size <= 0)
            break;
        take_bytes(&answer, bytes, (size_t)size);
    }
    take_bytes(&answer, "\n\n", 2);
    return true;
}

static bool ask(const Manager *manager, uint64_t deadline, Due *due)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        become_systemctl(manager, parent, ends[1]);
    close(ends[1]);
    bool answered = pid > 0 && read_answer(ends[0], deadline, due);
    close(ends[0]);
    if (pid <= 0)
        return false;
    kill(pid, SIGKILL);
    int status;
    waitpid(pid, &status, 0);
    return answered;
}

/* Whether a manager listens in @directory. */
static bool runs(int directory, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof(path), "%.255s/systemd/private", name);
    return fstatat(directory, path, &st, 0) == 0 && S_ISSOCK(st.st_mode);
}

static bool ask_users(const char *root, uint64_t deadline, Due *due)
{
    char path[PATH_MAX];
    bool answered = true;
    struct stat st;
    snprintf(path, sizeof(path), "%s/run/user", root);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return true;
    const struct dirent *entry;
    for (int i = 0; i < USERS_MAX && (entry = readdir(directory)) != NULL; i++) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !runs(dirfd(directory), entry->d_name) ||
            fstatat(dirfd(directory), entry->d_name, &st, 0) < 0)
            continue;
        const Manager manager = {root, st.st_uid, st.st_gid, true};
        answered = ask(&manager, deadline, due) && answered;
    }
    closedir(directory);
    return answered;
}

bool unit_timers_next(const char *root, uint64_t deadline, Due *due)
{
    char run[PATH_MAX];
    const Manager system = {.root = root};
    snprintf(run, sizeof(run), "%s/run", root);
    if (!runs(AT_FDCWD, run))
        return true;
    bool answered = ask(&system, deadline, due);
    return ask_users(root, deadline, due) && answered;
}

/* SPDX-License-Identifier: MIT */
#include "logins.h"

#include "holder.h"

#include "os/cgroup.h"
#include "os/file.h"
#include "os/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define DIRECTORY LOGINS_DIRECTORY
#define UNITS     "/run/systemd/system"
#define WANTS     UNITS "/multi-user.target.wants"
#define UNIT      "berth-session@"
#define SCRIPT    "/run/berth/berth-session"
#define HOLD      "/run/berth/hold"

/* How long commands wait for a session, and the delay before a failed one is retried. */
#define START_SEC  30
#define RETRY_USEC 60000000ull

#define ENDED_EARLY "its unit ended early (\"journalctl -b\" says why)"

#define ID_SIZE 33 /* an invocation id: 128 bits in hexadecimal */

/* Wants=user@ gives a user manager even where logind or PAM is incomplete, and starts it in
 * parallel with the session, which waits for it in logind. Not Type=exec: before version 256 it
 * does not work with PAMName=. The dash of ExecStart keeps the unit from failing, however the
 * holder ends. */
static const char unit[] =
    "[Unit]\n"
    "Description=Login session of berth for UID %i\n"
    "Wants=user@%i.service\n"
    "After=systemd-user-sessions.service systemd-logind.service dbus.service\n"
    "IgnoreOnIsolate=yes\n"
    "CollectMode=inactive-or-failed\n"
    "[Service]\n"
    "User=%i\n"
    "PAMName=login\n"
    "Environment=XDG_SESSION_TYPE=tty XDG_SESSION_CLASS=user\n"
    "StandardInput=null\n"
    "StandardOutput=null\n"
    "ExecStart=-/bin/sh " SCRIPT " %i\n"
    "ExecStopPost=-+/bin/sh -c 'echo 0 $$INVOCATION_ID 1<>" DIRECTORY "/%i'\n";

/* The holder. `ps` shows the path above, `top` and `pstree` the name that the first command sets.
 * The unit does not set argv[0]: busybox would look for an applet of that name. 1<> opens a FIFO
 * without blocking; the last line blocks in open(2): only root could write to HOLD, and nothing
 * does. */
static const char script[] = "# Holds a login session of berth open.\n"
                             "printf " HOLDER_NAME " >/proc/$$/comm\n"
                             "echo $$ $INVOCATION_ID 1<>" DIRECTORY "/$1\n"
                             ": <" HOLD "\n";

typedef enum { NONE, STARTING, OPEN, FAILED } State;

typedef struct {
    Logins *logins;
    uid_t uid;
    State state;
    Login login;
    char id[ID_SIZE];     /* invocation id of the last report */
    Source reports;       /* the user's FIFO */
    Source holder;        /* pidfd of the holder */
    Source limit;         /* timer of START_SEC */
    pid_t starter;        /* systemctl, or 0 */
    bool ended;           /* the unit ended after `starter` was forked */
    uint64_t failed_usec; /* LoginsSystem.now_usec at the failure */
} Entry;

struct Logins {
    Loop *loop;
    const LoginsSystem *system;
    LoginsReady ready;
    void *data;
    Entry **entries; /* one for each user who ran a command or is a default user */
    size_t count;
};

/* ---- files ---- */

static int make_fifo(const char *path, mode_t mode, uid_t owner)
{
    if (mkfifo(path, mode) < 0 && errno != EEXIST)
        return -errno;
    return chown(path, owner, (gid_t)-1) < 0 ? -errno : 0;
}

/* The FIFO belongs to the user, so that users can report for themselves only. */
static int make_reports(const char *path, uid_t uid)
{
    return make_fifo(path, 0600, uid);
}

static void name_fifo(char path[PATH_MAX], const char *directory, uid_t uid)
{
    snprintf(path, PATH_MAX, "%s/%u", directory, uid);
}

static int enable_for(uid_t uid)
{
    char link[sizeof(WANTS) + sizeof(UNIT) + 32];
    char fifo[PATH_MAX];
    snprintf(link, sizeof(link), WANTS "/" UNIT "%u.service", uid);
    name_fifo(fifo, DIRECTORY, uid);
    int result = make_reports(fifo, uid);
    if (result == 0)
        result = file_make_directories(WANTS, 0755);
    if (result < 0)
        return result;
    return symlink(UNITS "/" UNIT ".service", link) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_unit(const char **ret_what)
{
    *ret_what = HOLD;
    int result = make_fifo(HOLD, 0444, 0);
    if (result < 0)
        return result;
    *ret_what = SCRIPT;
    result = file_replace(SCRIPT, script, 0644);
    if (result < 0)
        return result;
    *ret_what = UNITS "/" UNIT ".service";
    result = file_make_directories(UNITS, 0755);
    return result == 0 ? file_replace(*ret_what, unit, 0644) : result;
}

int logins_prepare(const DefaultUsers *defaults, const char **ret_what)
{
    User user;
    char warning[128];
    *ret_what = DIRECTORY;
    int result = file_make_directories(DIRECTORY, 0755);
    if (result == 0)
        result = write_unit(ret_what);
    if (result < 0 || !user_choose("", defaults, &user, warning, sizeof(warning)))
        return result; /* the first command reports the missing user */

    *ret_what = WANTS;
    result = enable_for(user.uid);
    user_clear(&user);
    return result;
}

/* ---- the session of one user ---- */

static int open_cgroup(pid_t pid)
{
    char directory[PATH_MAX];
    if (!cgroup_directory(pid, directory, sizeof(directory)))
        return -1;
    return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void forget(Entry *entry)
{
    loop_close(entry->logins->loop, &entry->holder);
    if (entry->login.cgroup >= 0)
        close(entry->login.cgroup);
    entry->login = (Login)LOGIN_NONE;
    entry->state = NONE;
}

static void settle(Entry *entry, State state)
{
    entry->state = state;
    loop_close(entry->logins->loop, &entry->limit);
    entry->logins->ready(entry->logins->data, entry->uid, &entry->login);
}

static void fail(Entry *entry, const char *why)
{
    log_line("no login session for UID %u: %s", entry->uid, why);
    entry->failed_usec = entry->logins->system->now_usec();
    settle(entry, FAILED);
}

static void on_holder_gone(Source *source, uint32_t events)
{
    forget(container_of(source, Entry, holder));
}

/* The user writes the reported pid, and the agent is root: accept only the user's own processes. */
static bool is_users(pid_t pid, uid_t uid)
{
    char path[32];
    struct stat info;
    snprintf(path, sizeof(path), "/proc/%d", pid);
    return stat(path, &info) == 0 && info.st_uid == uid;
}

static void adopt_holder(Entry *entry, pid_t pid)
{
    int pidfd = is_users(pid, entry->uid) ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pidfd < 0)
        return; /* it has ended already, or is not the user's */
    forget(entry);
    loop_add(entry->logins->loop, &entry->holder, pidfd, EPOLLIN, on_holder_gone);
    entry->login = (Login){pid, open_cgroup(pid)};
    settle(entry, OPEN);
}

static bool is_alive(const Entry *entry)
{
    struct pollfd holder = {.fd = entry->holder.fd, .events = POLLIN};
    return poll(&holder, 1, 0) == 0 && is_users(entry->login.holder, entry->uid);
}

/* ---- reports of the unit ---- */

/* Handle "PID ID", or "0 ID" at the unit's end, which matters only if the invocation has not
 * reported a pid. */
static void handle_report(Entry *entry, const char *line)
{
    int pid;
    char id[ID_SIZE];
    if (sscanf(line, "%d %32s", &pid, id) != 2)
        return;
    bool known = strcmp(id, entry->id) == 0;
    strcpy(entry->id, id);
    if (pid > 0)
        adopt_holder(entry, pid);
    else if (!known)
        entry->ended = true;
    if (entry->state == STARTING && entry->ended && entry->starter == 0)
        fail(entry, ENDED_EARLY); /* while systemctl runs, logins_reaped does this */
}

/* Reports are single writes to a FIFO, so that a read returns whole lines. */
static void on_reports(Source *source, uint32_t events)
{
    char text[PIPE_BUF + 1];
    Entry *entry = container_of(source, Entry, reports);
    ssize_t size = read(source->fd, text, sizeof(text) - 1);
    text[size > 0 ? size : 0] = '\0';
    char *rest = text;
    const char *line;
    while ((line = strsep(&rest, "\n")) != NULL)
        handle_report(entry, line);
}

static bool open_reports(Entry *entry)
{
    char path[PATH_MAX];
    name_fifo(path, entry->logins->system->directory, entry->uid);
    int result = make_reports(path, entry->uid);
    int fifo = result == 0 ? open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fifo >= 0) /* O_RDWR: it never reaches EOF */
        loop_add(entry->logins->loop, &entry->reports, fifo, EPOLLIN, on_reports);
    return fifo >= 0;
}

static Entry *find_entry(Logins *logins, uid_t uid)
{
    for (size_t i = 0; i < logins->count; i++)
        if (logins->entries[i]->uid == uid)
            return logins->entries[i];

    Entry **grown = realloc(logins->entries, (logins->count + 1) * sizeof(*grown));
    if (grown == NULL)
        return NULL;
    logins->entries = grown;
    Entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    *entry = (Entry){.logins = logins, .uid = uid, .login = LOGIN_NONE};
    if (!open_reports(entry)) {
        free(entry);
        return NULL;
    }
    logins->entries[logins->count++] = entry;
    return entry;
}

/* ---- starting a session ---- */

/* Both units pull in sysinit.target, which would end the emergency mode: check it first. */
static const char starting[] = "systemctl --quiet is-active sysinit.target && "
                               "exec systemctl --quiet --no-ask-password start \"$@\"";

__attribute__((noreturn)) static void run_systemctl(const char *path, uid_t uid)
{
    char name[sizeof(UNIT) + 32], manager[32];
    snprintf(name, sizeof(name), UNIT "%u.service", uid);
    snprintf(manager, sizeof(manager), "user@%u.service", uid);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setenv("PATH", path, 1);
    execl("/bin/sh", "sh", "-c", starting, "sh", manager, name, (char *)NULL);
    _exit(127);
}

static void on_limit(Source *source, uint32_t events)
{
    Entry *entry = container_of(source, Entry, limit);
    if (entry->state == STARTING)
        fail(entry, "its unit takes too long");
}

static bool start_limit(Entry *entry)
{
    const struct itimerspec when = {.it_value = {.tv_sec = START_SEC}};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0)
        return false;
    if (timerfd_settime(timer, 0, &when, NULL) < 0) {
        close(timer);
        return false;
    }
    loop_close(entry->logins->loop, &entry->limit); /* from an earlier attempt */
    loop_add(entry->logins->loop, &entry->limit, timer, EPOLLIN, on_limit);
    return true;
}

static bool start(Entry *entry)
{
    if (!start_limit(entry))
        return false;
    pid_t pid = fork();
    if (pid == 0)
        run_systemctl(entry->logins->system->path, entry->uid);
    if (pid < 0) {
        loop_close(entry->logins->loop, &entry->limit);
        return false;
    }
    entry->starter = pid;
    entry->ended = false;
    entry->state = STARTING;
    return true;
}

void logins_reaped(Logins *logins, pid_t pid, int wait_status)
{
    for (size_t i = 0; logins != NULL && i < logins->count; i++) {
        Entry *entry = logins->entries[i];
        if (entry->starter != pid)
            continue;
        entry->starter = 0;
        if (entry->state == STARTING && (entry->ended || wait_status != 0))
            fail(entry, entry->ended ? ENDED_EARLY : "systemctl cannot start its unit");
    }
}

bool logins_get(Logins *logins, uid_t uid, Login *ret_login)
{
    *ret_login = (Login)LOGIN_NONE;
    Entry *entry = find_entry(logins, uid);
    if (entry == NULL)
        return true;
    if (entry->state == OPEN && !is_alive(entry))
        forget(entry);
    if (entry->state == FAILED && logins->system->now_usec() - entry->failed_usec >= RETRY_USEC)
        forget(entry);
    if (entry->state == NONE && !start(entry))
        return true;
    *ret_login = entry->login;
    return entry->state != STARTING;
}

/* ---- all sessions ---- */

/* Open the FIFOs of users whose sessions open during the boot. */
static void open_enabled(Logins *logins, DIR *fifos)
{
    const struct dirent *entry;
    while ((entry = readdir(fifos)) != NULL)
        if (entry->d_name[0] != '.')
            find_entry(logins, (uid_t)strtoul(entry->d_name, NULL, 10));
}

Logins *logins_new(Loop *loop, const LoginsSystem *system, LoginsReady ready, void *data)
{
    DIR *fifos = opendir(system->directory);
    Logins *logins = fifos != NULL ? calloc(1, sizeof(*logins)) : NULL;
    if (logins != NULL) {
        *logins = (Logins){.loop = loop, .system = system, .ready = ready, .data = data};
        open_enabled(logins, fifos);
    }
    if (fifos != NULL)
        closedir(fifos);
    return logins;
}

void logins_free(Logins *logins)
{
    if (logins == NULL)
        return;
    for (size_t i = 0; i < logins->count; i++) {
        Entry *entry = logins->entries[i];
        forget(entry);
        loop_close(logins->loop, &entry->limit);
        loop_close(logins->loop, &entry->reports);
        free(entry);
    }
    free(logins->entries);
    free(logins);
}

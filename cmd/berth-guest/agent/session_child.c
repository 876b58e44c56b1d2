/* SPDX-License-Identifier: MIT */
#include "environment.h"
#include "gpg_socket.h"
#include "holder.h"
#include "spawn.h"

#include "distro/oobe.h"
#include "os/file.h"
#include "wire/wire.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_BERTH = 125, STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127 };

/* Send one packet through the status pipe. False when that failed. */
__attribute__((format(printf, 3, 0))) static bool
report_status(int status_fd, uint8_t status, const char *format, va_list arguments)
{
    char report[SPAWN_STATUS_MAX];
    int length = vsnprintf(report + 1, sizeof(report) - 1, format, arguments);
    report[0] = (char)status;
    size_t size = 1 + (length < (int)sizeof(report) - 2 ? (size_t)length : sizeof(report) - 2);
    ssize_t written = write(status_fd, report, size);
    if (written < 0) /* closed before a first-run command: use its terminal */
        dprintf(STDERR_FILENO, "berth: %s\n", report + 1);
    return written == (ssize_t)size;
}

/* Report why the command cannot start, and exit. */
__attribute__((noreturn, format(printf, 3, 4))) static void give_up(int status_fd, uint8_t status,
                                                                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool sent = report_status(status_fd, status, format, arguments);
    va_end(arguments);
    _exit(sent ? status : STATUS_BERTH);
}

__attribute__((format(printf, 2, 3))) static void warn(int status_fd, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_status(status_fd, 0, format, arguments);
    va_end(arguments);
}

/* Default action for all signals and none blocked, as after a login. */
static void reset_signals(void)
{
    for (int number = 1; number <= SIGRTMAX; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void attach_streams(const ChildEnds *ends)
{
    if (ends->terminal >= 0 && ioctl(ends->terminal, TIOCSCTTY, 0) < 0)
        give_up(ends->status, STATUS_BERTH, "cannot take the terminal: %s", strerror(errno));
    for (int i = 0; i < SPAWN_STREAMS; i++) {
        if (dup2(ends->standard[i], i) < 0)
            give_up(ends->status, STATUS_BERTH, "cannot set up stream %d: %s", i, strerror(errno));
    }
}

/* Block until the login session has opened or failed. Returns its holder; 0: no session. */
static pid_t wait_for_login(const SpawnRequest *request, const ChildEnds *ends)
{
    pid_t holder;
    if (ends->barrier < 0)
        return request->session.holder;
    if (read(ends->barrier, &holder, sizeof(holder)) != (ssize_t)sizeof(holder))
        _exit(STATUS_BERTH); /* the agent has ended */
    return holder;
}

/* Apply the limits of the login session; without one, RLIMIT_NOFILE of @request. */
static void apply_limits(const SpawnRequest *request, pid_t holder)
{
    struct rlimit limit;
    setrlimit(RLIMIT_NOFILE, &request->files);
    for (int which = 0; holder > 0 && which < (int)RLIM_NLIMITS; which++)
        if (prlimit(holder, which, NULL, &limit) == 0)
            setrlimit(which, &limit);
}

/* Become @user for good: do all that needs root before. */
static void drop_privileges(const User *user, int status)
{
    if (geteuid() != 0)
        return;
    if (setgroups((size_t)user->group_count, user->groups) < 0 || setgid(user->gid) < 0 ||
        setuid(user->uid) < 0)
        give_up(status, STATUS_BERTH, "cannot become \"%s\": %s", user->name, strerror(errno));
}

/* As login(1) does: the user owns the terminal, and group tty may write to it. */
static void own_terminal(int terminal, const User *user)
{
    if (terminal < 0 || geteuid() != 0)
        return;
    if (fchown(terminal, user->uid, user_group("tty", 5)) == 0)
        fchmod(terminal, 0620);
}

/* A missing directory is a warning: the command starts elsewhere. */
static void enter_directory(const char *cwd, const User *user, int status)
{
    const char *home = user->home;
    if (chdir(home) < 0) {
        home = "/";
        if (chdir(home) < 0)
            give_up(status, STATUS_BERTH, "cannot change to \"/\": %s", strerror(errno));
    }
    const char *wanted = cwd;
    if (cwd[0] == '~' && (cwd[1] == '\0' || cwd[1] == '/')) {
        wanted += cwd[1] == '/' ? 2 : 1;
        wanted += strspn(wanted, "/");
    }
    if (wanted[0] != '\0' && chdir(wanted) < 0)
        warn(status, "cannot change to \"%s\": %s; it starts in \"%s\"", cwd, strerror(errno),
             home);
}

/* Run a script without #! by /bin/sh, as shells and execvp do. */
static void try_exec(const char *path, char *const *argv, char *const *environment)
{
    execve(path, argv, environment);
    if (errno != ENOEXEC)
        return;

    size_t count = 0;
    while (argv[count] != NULL)
        count++;
    char **script = calloc(count + 2, sizeof(char *));
    if (script == NULL)
        return;
    script[0] = (char *)"/bin/sh";
    script[1] = (char *)path;
    for (size_t i = 1; i < count; i++)
        script[i + 1] = argv[i];
    execve(script[0], script, environment);
    free(script);
    errno = ENOEXEC;
}

/* Try @name in each directory of the command's PATH. Returns, with errno, only on failure. */
static void exec_on_path(const char *name, char *const *argv, const Environment *environment)
{
    const char *path = environment_get(environment, "PATH");
    int problem = ENOENT;
    for (const char *entry = path != NULL ? path : ""; *entry != '\0';) {
        size_t length = strcspn(entry, ":");
        char candidate[PATH_MAX];
        int size = length == 0 ? snprintf(candidate, sizeof(candidate), "./%s", name)
                               : snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length,
                                          entry, name);
        struct stat info;
        if (size < (int)sizeof(candidate)) {
            try_exec(candidate, argv, environment->strings);
            if (errno == EACCES && stat(candidate, &info) == 0 && !S_ISDIR(info.st_mode))
                problem = EACCES;
            else if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
                return;
        }
        entry += length + (entry[length] == ':');
    }
    errno = problem;
}

__attribute__((noreturn)) static void report_exec(const char *name, int status)
{
    int problem = errno;
    struct stat info;
    bool is_path = strchr(name, '/') != NULL;
    bool is_there = is_path && stat(name, &info) == 0;

    if (problem == E2BIG)
        give_up(status, WIRE_FAILED_TOO_LONG,
                "%.200s: the command's arguments and environment are too long for the kernel",
                name);
    if (is_there && S_ISDIR(info.st_mode))
        give_up(status, STATUS_NOT_EXECUTABLE, "%s: is a directory", name);
    if (problem == ENOENT && is_there)
        give_up(status, STATUS_NOT_FOUND, "%s: its interpreter does not exist", name);
    if (problem == ENOENT && !is_path)
        give_up(status, STATUS_NOT_FOUND, "%s: command not found", name);
    if (problem == ENOENT || problem == ENOTDIR)
        give_up(status, STATUS_NOT_FOUND, "%s: no such file or directory", name);
    give_up(status, STATUS_NOT_EXECUTABLE, "%s: %s", name,
            problem == EACCES ? "permission denied" : strerror(problem));
}

/* argv of the user's shell: a dash before its name makes it a login shell; a command line follows
 * -c. */
static char **shell_arguments(const SpawnRequest *request)
{
    size_t count = 0;
    while (request->argv != NULL && request->argv[count] != NULL)
        count++;
    const char *slash = strrchr(request->user->shell, '/');
    const char *base = slash != NULL ? slash + 1 : request->user->shell;
    char **argv = calloc(count + 3, sizeof(char *));
    if (argv == NULL || asprintf(&argv[0], "%s%s", request->login ? "-" : "", base) < 0)
        return NULL;
    if (count > 0) {
        argv[1] = (char *)"-c";
        memcpy(argv + 2, request->argv, count * sizeof(char *));
    }
    return argv;
}

__attribute__((noreturn)) static void run_command(const SpawnRequest *request,
                                                  const Environment *environment, int status)
{
    bool shell = request->shell || request->argv == NULL || request->argv[0] == NULL;
    char *const *argv = shell ? shell_arguments(request) : request->argv;
    if (argv == NULL)
        give_up(status, STATUS_BERTH, "out of memory");
    const char *name = shell ? request->user->shell : argv[0];
    if (strchr(name, '/') != NULL)
        try_exec(name, argv, environment->strings);
    else
        exec_on_path(name, argv, environment);
    report_exec(name, status);
}

/* Run the distro's first-run command on the terminal; the user it created becomes the default. */
static void run_first(SpawnRequest *request, User *first)
{
    char name[65];
    if (!oobe_run(name))
        _exit(EXIT_FAILURE);
    if (request->by_default && user_find(name, first))
        request->user = first;
}

void child_run(const SpawnRequest *asked, const ChildEnds *ends)
{
    SpawnRequest own = *asked;
    const SpawnRequest *request = &own;
    User first;
    setsid();
    reset_signals();
    pid_t holder = wait_for_login(request, ends);
    if (holder > 0)
        holder_join(holder);
    attach_streams(ends);
    if (own.first_run) {
        close(ends->status); /* EOF: the agent starts to forward input */
        run_first(&own, &first);
    }
    const User *user = request->user;
    own_terminal(ends->terminal, user);
    file_write("/proc/self/oom_score_adj", "0");
    apply_limits(request, holder);
    umask(request->umask);

    const EnvironmentSources sources = {
        .user = user,
        .login = holder,
        .tty = ends->terminal >= 0,
        .offered = request->offered,
        .given = request->environment,
    };
    Environment environment =
        environment_build(&sources); /* as root, to read the holder's environment */
    drop_privileges(user, ends->status);
    gpg_socket_update(user->uid, user->home, environment_get(&environment, GPG_SOCKET_VARIABLE));
    enter_directory(request->cwd, user, ends->status);
    run_command(request, &environment, ends->status);
}

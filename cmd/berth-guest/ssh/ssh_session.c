/* SPDX-License-Identifier: MIT */
#include "ssh_session.h"

#include "carried.h"

#include "agent/environment.h"
#include "agent/holder.h"
#include "distro/user.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_BERTH = 125, STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127 };

/* Of dropbear's environment these are for the command. */
static const char *const passed[] = {"TERM", "SSH_TTY", "SSH_AUTH_SOCK", "DISPLAY"};

/* dropbear knows no peer behind its socket; what OpenSSH says then. */
static const char *const fixed[] = {"SSH_CONNECTION=UNKNOWN 65535 UNKNOWN 65535",
                                    "SSH_CLIENT=UNKNOWN 65535 65535"};

#define FIXED_COUNT  (sizeof(fixed) / sizeof(fixed[0]))
#define PASSED_COUNT (sizeof(passed) / sizeof(passed[0]))

bool ssh_session_is(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    const char *name = slash != NULL ? slash + 1 : argv0;
    return strcmp(name, CARRIED_SESSION) == 0 || strcmp(name, "-" CARRIED_SESSION) == 0;
}

static int fail(const char *what)
{
    int problem = errno;
    fprintf(stderr, "berth: %s: %s\n", what, strerror(problem));
    return problem == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

/* From dropbear's root into the distro: PID 1 is always there. */
static bool enter_distro(void)
{
    int mounts = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
    bool entered = mounts >= 0 && setns(mounts, CLONE_NEWNS) == 0;
    if (mounts >= 0)
        close(mounts);
    return entered;
}

/* dropbear made the terminal and the agent's socket for root. */
static void own_terminal(const User *user)
{
    if (isatty(STDIN_FILENO) && fchown(STDIN_FILENO, user->uid, user_group("tty", 5)) == 0)
        fchmod(STDIN_FILENO, 0620);
}

/* The socket first: while the directory is root's alone, the user cannot put a symlink in its
 * place. */
static void own_agent(const User *user)
{
    const char *path = getenv("SSH_AUTH_SOCK");
    char *copy = path != NULL ? strdup(path) : NULL;
    if (copy == NULL)
        return;
    if (lchown(path, user->uid, user->gid) == 0 && lchown(dirname(copy), user->uid, user->gid) < 0)
        fail("the agent's directory");
    free(copy);
}

static Environment make_environment(const User *user, pid_t holder, char *const *offered)
{
    char *given[FIXED_COUNT + PASSED_COUNT + 1] = {0};
    size_t count = FIXED_COUNT;
    memcpy(given, fixed, sizeof(fixed));
    for (size_t i = 0; i < PASSED_COUNT; i++) {
        const char *value = getenv(passed[i]);
        if (value != NULL && asprintf(&given[count], "%s=%s", passed[i], value) >= 0)
            count++;
    }
    const EnvironmentSources sources = {.user = user,
                                        .login = holder,
                                        .tty = isatty(STDIN_FILENO) == 1,
                                        .offered = offered,
                                        .given = given};
    return environment_build(&sources);
}

static bool become(const User *user)
{
    return setgroups((size_t)user->group_count, user->groups) == 0 && setgid(user->gid) == 0 &&
           setuid(user->uid) == 0;
}

/* @command NULL: a login shell. */
static int run_shell(const User *user, const char *command, char *const *environment)
{
    const char *slash = strrchr(user->shell, '/');
    const char *base = slash != NULL ? slash + 1 : user->shell;
    char *name;
    if (asprintf(&name, "%s%s", command == NULL ? "-" : "", base) < 0)
        return STATUS_BERTH;
    const char *const argv[] = {name, command != NULL ? "-c" : NULL, command, NULL};
    execve(user->shell, (char *const *)argv, environment);
    return fail(user->shell);
}

/* Whether @command is dropbear's for the subsystem sftp, and the distro has no such program. Its
 * path is that of the release dropbear was built for. */
static bool is_sftp(const char *command)
{
    const char *slash = command != NULL ? strrchr(command, '/') : NULL;
    return slash != NULL && command[0] == '/' && strcmp(slash, "/sftp-server") == 0 &&
           strpbrk(command, " \t\n") == NULL && access(command, X_OK) < 0;
}

static int run_as(const User *user, const char *command, char *const *offered)
{
    own_terminal(user);
    own_agent(user);
    pid_t holder = holder_find(user->uid);
    if (holder > 0)
        holder_join(holder);
    Environment environment = make_environment(user, holder, offered);
    if (!become(user)) {
        fail(user->name);
        return STATUS_BERTH;
    }
    if (chdir(user->home) < 0) {
        fail(user->home);
        if (chdir("/") < 0)
            return fail("/");
    }
    if (!is_sftp(command))
        return run_shell(user, command, environment.strings);
    carried_sftp(environment.strings);
    return fail("sftp-server");
}

int ssh_session_run(char **argv)
{
    const char *name = getenv("LOGNAME");
    const char *command = argv[1] != NULL && strcmp(argv[1], "-c") == 0 ? argv[2] : NULL;
    User user;
    char **offered = request_lines(file_read(CARRIED_OFFERED)); /* of dropbear's root */
    if (!enter_distro()) {
        fail("the distro's mounts");
        return STATUS_BERTH;
    }
    if (name == NULL || !user_find(name, &user)) {
        errno = ENOENT;
        return fail(name != NULL ? name : "LOGNAME");
    }
    return run_as(&user, command, offered);
}

/* SPDX-License-Identifier: MIT */
#include "handover.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* An abstract socket: it needs no directory and leaves no file. */
#define NOTIFY_NAME "berth-notify"

#define DOCKER_MARK "/.dockerenv"

static const char *const candidates[] = {"/sbin/init", "/usr/sbin/init", "/lib/systemd/systemd",
                                         "/usr/lib/systemd/systemd"};

static const struct {
    const char *program;
    InitKind kind;
} known[] = {{"systemd", INIT_SYSTEMD}, {"busybox", INIT_BUSYBOX}};

static InitKind kind_of(const char *path)
{
    char real[PATH_MAX];
    if (realpath(path, real) == NULL)
        return INIT_OTHER;
    const char *program = strrchr(real, '/') + 1;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(program, known[i].program) == 0)
            return known[i].kind;
    }
    return INIT_OTHER;
}

Init handover_find(bool systemd)
{
    Init init = {.kind = INIT_BERTH};
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        if (access(candidates[i], X_OK) < 0)
            continue;
        InitKind kind = kind_of(candidates[i]);
        if (kind == INIT_SYSTEMD && !systemd)
            continue;
        init.kind = kind;
        strcpy(init.path, candidates[i]);
        break;
    }
    return init;
}

int handover_open_notify(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0" NOTIFY_NAME};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(NOTIFY_NAME));
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int handover_exec(const Init *init)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(STDOUT_FILENO, STDERR_FILENO); /* back to the console, as the kernel starts an init */
    if (init->kind == INIT_SYSTEMD) {
        setenv("NOTIFY_SOCKET", "@" NOTIFY_NAME, 1);
        /* For a mark that could not be hidden: an empty variable means "no container", and systemd
         * prefers it to the file. Only for systemd: some programs take any variable of that name
         * for a container. */
        if (access(DOCKER_MARK, F_OK) == 0)
            setenv("container", "", 1);
    }
    char *const argv[] = {(char *)init->path, NULL};
    execve(init->path, argv, environ);
    return -errno;
}

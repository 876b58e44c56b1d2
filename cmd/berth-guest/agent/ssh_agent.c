/* SPDX-License-Identifier: MIT */
#include "ssh_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static bool become(const struct ucred *peer)
{
    return (geteuid() != 0 || setgroups(0, NULL) == 0) && setgid(peer->gid) == 0 &&
           setuid(peer->uid) == 0;
}

/* In a child. */
static _Noreturn void serve(const SshAgent *agent, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    char variable[160];
    snprintf(variable, sizeof(variable), "BERTH_HOST_SOCKET=%s", agent->calls);
    char *const environment[] = {variable, NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && become(&peer) && null >= 0 &&
        dup2(null, STDERR_FILENO) >= 0 && dup2(fd, STDIN_FILENO) >= 0 &&
        dup2(fd, STDOUT_FILENO) >= 0)
        execle("/proc/self/exe", agent->program, NULL, environment);
    _exit(EXIT_FAILURE);
}

/* The child is reaped with the commands. */
static void on_listener(Source *source, uint32_t events)
{
    const SshAgent *agent = container_of(source, SshAgent, listener);
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (fork() == 0)
        serve(agent, fd);
    close(fd);
}

int ssh_agent_listen(SshAgent *agent, const char *calls, const char *suffix, const char *program)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(calls) + strlen(suffix) >= sizeof(agent->path))
        return -ENAMETOOLONG;
    snprintf(agent->path, sizeof(agent->path), "%s%s", calls, suffix);
    strcpy(address.sun_path, agent->path);
    agent->calls = calls;
    agent->program = program;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    unlink(agent->path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(agent->path, 0600) < 0 || listen(fd, BACKLOG) < 0) {
        int problem = errno;
        close(fd);
        return -problem;
    }
    loop_add(agent->loop, &agent->listener, fd, EPOLLIN, on_listener);
    return 0;
}

void ssh_agent_give(const SshAgent *agent, uid_t uid, gid_t gid)
{
    if (agent != NULL && agent->path[0] != '\0' && geteuid() == 0)
        (void)!chown(agent->path, uid, gid);
}

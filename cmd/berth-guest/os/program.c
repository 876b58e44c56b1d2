/* SPDX-License-Identifier: MIT */
#include "program.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define USEC_PER_SEC 1000000u

bool program_find(const char *name, char *path, size_t size)
{
    for (const char *entry = PROGRAM_PATH; *entry != '\0';) {
        size_t length = strcspn(entry, ":");
        snprintf(path, size, "%.*s/%s", (int)length, entry, name);
        if (access(path, X_OK) == 0)
            return true;
        entry += length + (entry[length] == ':');
    }
    return false;
}

void program_become(int output)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    int input = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (input >= 0)
        dup2(input, STDIN_FILENO);
    if (output >= 0) {
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
    }
    setenv("PATH", PROGRAM_PATH, 1);
}

/* Read from @fd and store the last non-empty line. False at EOF. */
static bool read_output(int fd, char *last_line, size_t size)
{
    char bytes[1024];
    ssize_t got = read(fd, bytes, sizeof(bytes) - 1);
    if (got <= 0)
        return false;
    bytes[got] = '\0';
    char *rest = bytes;
    const char *line;
    while ((line = strsep(&rest, "\r\n")) != NULL)
        if (line[0] != '\0')
            snprintf(last_line, size, "%s", line);
    return true;
}

/* Wait until the process of @pidfd ends. 0, or -ETIMEDOUT. */
static int wait_for(int pidfd, int output, int limit_sec, char *last_line, size_t size)
{
    enum { END, OUTPUT };
    struct pollfd waits[] = {{.fd = pidfd, .events = POLLIN}, {.fd = output, .events = POLLIN}};
    uint64_t deadline = clock_boottime_usec() + (uint64_t)limit_sec * USEC_PER_SEC;
    for (;;) {
        uint64_t now = clock_boottime_usec();
        if (now >= deadline)
            return -ETIMEDOUT;
        if (poll(waits, 2, (int)((deadline - now) / 1000 + 1)) <= 0)
            continue;
        if (waits[OUTPUT].revents != 0 && !read_output(output, last_line, size))
            waits[OUTPUT].fd = -1;
        else if (waits[OUTPUT].revents == 0 && waits[END].revents != 0)
            return 0;
    }
}

static int start(const char *const argv[], int output)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    program_become(output);
    execv(argv[0], (char *const *)argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int program_run(const char *const argv[], int limit_sec, char *last_line, size_t size)
{
    int pair[2];
    last_line[0] = '\0';
    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = start(argv, pair[1]);
    int result = pid < 0 ? -errno : 0;
    close(pair[1]);
    int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (result == 0 && pidfd < 0)
        result = -errno;
    if (result == 0)
        result = wait_for(pidfd, pair[0], limit_sec, last_line, size);
    close(pair[0]);

    int status = 0;
    if (result < 0 && pid > 0)
        kill(pid, SIGKILL); /* without waitpid: it may hang in the kernel */
    else if (pid > 0 && waitpid(pid, &status, 0) == pid)
        result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (pidfd >= 0)
        close(pidfd);
    return result;
}

/* SPDX-License-Identifier: MIT */
#include "monitor.h"

#include "watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define IDLE_MSEC    3600000 /* without a question: the process ends */
#define GIVE_UP_MSEC 600000  /* after the watcher gave up: the next process tries again */
#define PATIENCE_SEC 10      /* for an answer: git then looks at everything itself */
#define BACKLOG      16
#define TRIES        3

typedef struct {
    struct sockaddr_un address;
    socklen_t size;
} Address;

static int make_address(int root, Address *ret_address)
{
    struct stat info;
    if (fstat(root, &info) < 0)
        return -errno;
    *ret_address = (Address){.address.sun_family = AF_UNIX};
    int length =
        snprintf(ret_address->address.sun_path + 1, sizeof(ret_address->address.sun_path) - 1,
                 "berth-fsmonitor/1/%u/%llx/%llx", geteuid(), (unsigned long long)info.st_dev,
                 (unsigned long long)info.st_ino);
    ret_address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    return 0;
}

static bool is_our_own(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

static void set_patience(int fd)
{
    const struct timeval limit = {.tv_sec = PATIENCE_SEC};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* Read up to @size bytes, or to the end. */
static size_t read_up_to(int fd, void *buffer, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = recv(fd, (char *)buffer + done, size - done, 0);
        if (got > 0)
            done += (size_t)got;
        else if (got == 0 || errno != EINTR)
            break;
    }
    return done;
}

static bool send_all(int fd, const void *buffer, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = send(fd, (const char *)buffer + done, size - done, MSG_NOSIGNAL);
        if (put >= 0)
            done += (size_t)put;
        else if (errno != EINTR)
            return false;
    }
    return true;
}

/* ---- the process ---- */

static void serve(Watcher *watcher, int client)
{
    char token[JOURNAL_TOKEN_MAX + 1] = "";
    char *answer = NULL;
    size_t size = 0;
    set_patience(client);
    if (!is_our_own(client) || read_up_to(client, token, sizeof(token)) > JOURNAL_TOKEN_MAX)
        return;
    FILE *to = open_memstream(&answer, &size);
    if (to == NULL)
        return;
    watcher_answer(watcher, token, to);
    const bool whole = fclose(to) == 0;
    const uint64_t length = size;
    if (whole && send_all(client, &length, sizeof(length)))
        send_all(client, answer, size);
    free(answer);
}

static int64_t now_msec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Handle a question or events. False: nothing came for @limit milliseconds. */
static bool do_next(Watcher *watcher, int listener, int limit)
{
    struct pollfd fds[] = {{.fd = listener, .events = POLLIN},
                           {.fd = watcher->inotify, .events = POLLIN}};
    int ready = poll(fds, 2, limit);
    if (ready > 0 && fds[0].revents != 0) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0) {
            serve(watcher, client);
            close(client);
        }
    } else if (ready > 0) {
        watcher_read(watcher);
    }
    return ready != 0;
}

/* Answer until no git asks for IDLE_MSEC, or for GIVE_UP_MSEC after the watcher failed. */
static void follow(Watcher *watcher, int listener)
{
    int64_t end = 0;
    while (do_next(watcher, listener, watcher->problem != 0 ? GIVE_UP_MSEC : IDLE_MSEC)) {
        if (watcher->problem != 0 && end == 0)
            end = now_msec() + GIVE_UP_MSEC;
        if (end != 0 && now_msec() >= end)
            return;
    }
}

__attribute__((noreturn)) static void become_monitor(int listener, int root)
{
    enum { LISTENER = STDERR_FILENO + 1, ROOT };
    Watcher watcher;
    setsid();
    signal(SIGHUP, SIG_IGN);
    /* out of the way first, for each may be the other's number */
    int high = fcntl(listener, F_DUPFD, ROOT + 1), high_root = fcntl(root, F_DUPFD, ROOT + 1);
    int null = open("/dev/null", O_RDWR);
    if (high < 0 || high_root < 0 || null < 0 || dup2(high, LISTENER) < 0 ||
        dup2(high_root, ROOT) < 0 || chdir("/") < 0)
        _exit(EXIT_FAILURE);
    for (int fd = 0; fd < LISTENER; fd++)
        dup2(null, fd);
    close_range(ROOT + 1, ~0u, 0);
    if (watcher_init(&watcher, ROOT))
        follow(&watcher, LISTENER);
    _exit(EXIT_SUCCESS);
}

/* Start the process, which can be connected to at once. -EADDRINUSE: there is one now. */
static int start(const Address *address, int root)
{
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0)
        return -errno;
    int result = 0;
    if (bind(listener, (const struct sockaddr *)&address->address, address->size) < 0 ||
        listen(listener, BACKLOG) < 0)
        result = -errno;
    pid_t pid = result == 0 ? fork() : -1;
    if (pid == 0)
        become_monitor(listener, root);
    if (result == 0 && pid < 0)
        result = -errno;
    close(listener);
    return result;
}

/* ---- questions ---- */

static int connect_to(const Address *address, int root)
{
    for (int i = 0; i < TRIES; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
        set_patience(fd);
        if (connect(fd, (const struct sockaddr *)&address->address, address->size) == 0)
            return fd;
        int problem = errno;
        close(fd);
        int result = problem == ECONNREFUSED ? start(address, root) : -problem;
        if (result < 0 && result != -EADDRINUSE)
            return result;
    }
    return -ECONNREFUSED;
}

static int receive(int fd, char **ret_answer, size_t *ret_size)
{
    uint64_t size;
    if (read_up_to(fd, &size, sizeof(size)) != sizeof(size) || size == 0 || size > SIZE_MAX / 2)
        return -ETIMEDOUT;
    *ret_answer = malloc((size_t)size);
    *ret_size = (size_t)size;
    if (*ret_answer == NULL)
        return -ENOMEM;
    if (read_up_to(fd, *ret_answer, *ret_size) == *ret_size)
        return 0;
    free(*ret_answer);
    *ret_answer = NULL;
    return -EPIPE;
}

int monitor_ask(int root, const char *token, char **ret_answer, size_t *ret_size)
{
    Address address = {0};
    int result = make_address(root, &address);
    int fd = result < 0 ? result : connect_to(&address, root);
    if (fd < 0)
        return fd;
    if (!is_our_own(fd))
        result = -EPERM;
    else if (!send_all(fd, token, strlen(token)) || shutdown(fd, SHUT_WR) < 0)
        result = -EPIPE;
    else
        result = receive(fd, ret_answer, ret_size);
    close(fd);
    return result;
}

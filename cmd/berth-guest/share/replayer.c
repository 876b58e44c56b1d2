/* SPDX-License-Identifier: MIT */
#include "replayer.h"

#include "os/log.h"
#include "wire/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* Linux 6.6; the same on every architecture */
#endif

typedef struct {
    WireReplay header;
    const char *names[WIRE_REPLAY_NAMES]; /* directory, name, new directory, new name */
} Command;

static int parse(const uint8_t *bytes, size_t size, Command *ret_command)
{
    if (size < sizeof(ret_command->header))
        return -EPROTO;
    memcpy(&ret_command->header, bytes, sizeof(ret_command->header));
    const char *at = (const char *)bytes + sizeof(ret_command->header);
    size_t left = size - sizeof(ret_command->header);
    for (size_t i = 0; i < WIRE_REPLAY_NAMES; i++) {
        size_t length = strnlen(at, left);
        if (length == left)
            return -EPROTO;
        ret_command->names[i] = at;
        at += length + 1;
        left -= length + 1;
    }
    return 0;
}

/* Open the directory @path of the mount, name by name: it may be longer than a system call takes.
 */
static int open_directory(const char *root, const char *path)
{
    const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    int fd = open(root, flags);
    while (fd >= 0 && *path != '\0') {
        char name[NAME_MAX + 1];
        size_t length = strcspn(path, "/");
        if (length > NAME_MAX)
            length = NAME_MAX;
        memcpy(name, path, length);
        name[length] = '\0';
        path += length;
        path += *path == '/';
        int next = openat(fd, name, flags | O_NOFOLLOW);
        int problem = errno;
        close(fd);
        errno = problem;
        fd = next;
    }
    return fd < 0 ? -errno : fd;
}

static int result_of(int returned)
{
    return returned < 0 ? -errno : 0;
}

/* Set the size. The host answers with the one that it has. */
static int modify(int directory, const char *name)
{
    char path[32];
    int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int result = result_of(truncate(path, 0));
    close(fd);
    return result;
}

static int open_and_close(int directory, const char *name)
{
    int fd = openat(directory, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : result_of(close(fd));
}

static int move(const char *root, int directory, const Command *command)
{
    const char *name = command->names[1];
    int new_directory = open_directory(root, command->names[2]);
    if (new_directory < 0)
        return new_directory;
    /* The kernel may have the file at its new place already. It moves it back at a lookup, but not
     * at one that is part of a rename. */
    int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    int result = result_of(renameat(directory, name, new_directory, command->names[3]));
    close(new_directory);
    return result;
}

static int do_in(const char *root, int directory, const Command *command)
{
    const char *name = command->names[1];
    switch ((WireReplayKind)command->header.kind) {
    case WIRE_REPLAY_CREATE:
        return result_of(mknodat(directory, name, S_IFREG | 0600, 0));
    case WIRE_REPLAY_CREATE_DIRECTORY:
        return result_of(mkdirat(directory, name, 0700));
    case WIRE_REPLAY_DELETE:
        return result_of(unlinkat(directory, name, 0));
    case WIRE_REPLAY_DELETE_DIRECTORY:
        return result_of(unlinkat(directory, name, AT_REMOVEDIR));
    case WIRE_REPLAY_ATTRIBUTES:
        return result_of((int)syscall(SYS_fchmodat2, directory, name, 0700, AT_SYMLINK_NOFOLLOW));
    case WIRE_REPLAY_MODIFY:
        return modify(directory, name);
    case WIRE_REPLAY_CLOSE:
        return open_and_close(directory, name);
    case WIRE_REPLAY_MOVE:
        return move(root, directory, command);
    case WIRE_REPLAY_LOST:
    case WIRE_REPLAY_NONE:
        break;
    }
    return -EPROTO;
}

static int64_t do_command(const char *root, const uint8_t *bytes, size_t size,
                          uint64_t *ret_sequence)
{
    Command command = {0};
    int result = parse(bytes, size, &command);
    *ret_sequence = command.header.sequence;
    if (result < 0 || command.header.kind == WIRE_REPLAY_NONE)
        return result;
    if (command.header.kind == WIRE_REPLAY_LOST) {
        log_line("share: too many files changed on the host: some changes raised no event");
        return 0;
    }
    int directory = open_directory(root, command.names[0]);
    if (directory < 0)
        return directory;
    result = do_in(root, directory, &command);
    close(directory);
    return result;
}

/* ---- the process ---- */

typedef struct {
    uint64_t server;
    uint64_t size; /* of the command that follows */
} Order;

static bool read_whole(int fd, void *buffer, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (uint8_t *)buffer + done, size - done);
        if (got > 0)
            done += (size_t)got;
        else if (got == 0 || errno != EINTR)
            return false;
    }
    return true;
}

static bool send_whole(int fd, const void *buffer, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = send(fd, (const uint8_t *)buffer + done, size - done, MSG_NOSIGNAL);
        if (put >= 0)
            done += (size_t)put;
        else if (errno != EINTR)
            return false;
    }
    return true;
}

/* Read one command, do it, report it. False: the carrier has ended. */
static bool do_next(int fd, const char *root)
{
    Order order;
    if (!read_whole(fd, &order, sizeof(order)))
        return false;
    uint8_t *bytes = malloc(order.size);
    ReplayDone done = {.server = order.server, .result = -ENOMEM};
    bool good = bytes != NULL && read_whole(fd, bytes, order.size);
    if (good)
        done.result = do_command(root, bytes, order.size, &done.sequence);
    free(bytes);
    return good && send_whole(fd, &done, sizeof(done));
}

__attribute__((noreturn)) static void run(int fd, pid_t carrier, const char *root)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != carrier || dup2(fd, STDERR_FILENO + 1) < 0)
        _exit(EXIT_FAILURE);
    close_range(STDERR_FILENO + 2, ~0u, 0);
    while (do_next(STDERR_FILENO + 1, root))
        continue;
    _exit(EXIT_SUCCESS);
}

int replayer_start(Replayer *ret_replayer, const char *root)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    pid_t carrier = getpid(), pid = fork();
    if (pid == 0)
        run(pair[1], carrier, root);
    int problem = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return -problem;
    }
    *ret_replayer = (Replayer){pid, pair[0]};
    return 0;
}

bool replayer_send(const Replayer *replayer, uint64_t server, const uint8_t *bytes, uint32_t size)
{
    const Order order = {server, size};
    return send_whole(replayer->socket, &order, sizeof(order)) &&
           send_whole(replayer->socket, bytes, size);
}

bool replayer_wait(const Replayer *replayer, ReplayDone *ret_done)
{
    return read_whole(replayer->socket, ret_done, sizeof(*ret_done));
}

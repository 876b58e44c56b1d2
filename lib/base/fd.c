/* SPDX-License-Identifier: MIT */
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void berth_fd_close(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

int berth_fd_write_all(int fd, const void *data, gsize size)
{
    const char *next = data;
    while (size > 0) {
        ssize_t written = write(fd, next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        next += written;
        size -= (gsize)written;
    }
    return 0;
}

int berth_fd_set_nonblocking(int fd, bool nonblocking)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -1;
    return fcntl(fd, F_SETFL, nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int berth_fd_socketpair(int type, int ret_pair[2])
{
    return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret_pair);
}

bool berth_fd_is_path(int fd, const char *path)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

int berth_fd_sync_directory(int fd)
{
    return fsync(fd) < 0 && errno != EINVAL ? -1 : 0;
}

char *berth_fd_path(int fd)
{
    return g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd);
}

void berth_fd_self_path(int fd, char path[BERTH_FD_PATH_SIZE])
{
    g_snprintf(path, BERTH_FD_PATH_SIZE, "/proc/self/fd/%d", fd);
}

int berth_fd_reopen(int fd, int flags)
{
    char path[BERTH_FD_PATH_SIZE];
    berth_fd_self_path(fd, path);
    int opened = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return opened < 0 ? -errno : opened;
}

char *berth_fd_read_text(int fd)
{
    GString *text = g_string_new(NULL);
    char bytes[512];
    ssize_t size;
    while ((size = read(fd, bytes, sizeof(bytes))) > 0 || (size < 0 && errno == EINTR))
        g_string_append_len(text, bytes, MAX(size, 0));
    return g_string_free(text, FALSE);
}

int berth_fd_listen(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(sa_family_t);
    if (path != NULL) {
        if (strlen(path) >= sizeof(address.sun_path)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        strcpy(address.sun_path, path);
        size = sizeof(address);
        unlink(path);
    }
    berth_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, SOMAXCONN) < 0)
        return -1;
    return berth_fd_steal(&fd);
}

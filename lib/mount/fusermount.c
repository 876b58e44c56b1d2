/* SPDX-License-Identifier: MIT */
#include "fusermount.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "fusermount3"
/* The variable that names the socket over which it sends the descriptor. */
#define SOCKET_VARIABLE "_FUSE_COMMFD"
#define SOCKET_FD       3

static bool set_no_program(GError **error)
{
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "mount.fusermount",
                    "install FUSE's programs: the package fuse3",
                    "there is no " PROGRAM ", which mounts for ordinary users");
    return false;
}

static bool check_device(GError **error)
{
    if (access("/dev/fuse", R_OK | W_OK) == 0)
        return true;
    if (errno == EACCES || errno == EPERM)
        berth_error_set(error, BERTH_ERROR_DENIED, "mount.device",
                        "ask the administrator of this host for access to /dev/fuse",
                        "/dev/fuse: permission denied");
    else
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "mount.device",
                        "load FUSE's kernel module: sudo modprobe fuse",
                        "this host's kernel has no FUSE: /dev/fuse: no such file or directory");
    return false;
}

/* The first line of "fusermount3: bad mount point /x: ...", without the program's name. */
static char *complaint_of(const char *text)
{
    const char *start = g_str_has_prefix(text, PROGRAM ": ") ? text + strlen(PROGRAM ": ") : text;
    char *line = g_strndup(start, strcspn(start, "\n"));
    for (char *c = line; *c != '\0'; c++)
        if (g_ascii_iscntrl(*c))
            *c = '?';
    return line;
}

/* Run it with @argv; @socket becomes its SOCKET_FD, -1: none. Stores its complaint if it fails, or
 * NULL. False: it could not be run. */
static bool run(const char *const *argv, int socket, char **ret_complaint, GError **error)
{
    int errors[2];
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), SOCKET_VARIABLE, "3", TRUE);
    environment = g_environ_setenv(environment, "LC_ALL", "C", TRUE);
    g_autoptr(GError) problem = NULL;
    GPid pid;
    int status;
    const int source = socket, target = SOCKET_FD;
    *ret_complaint = NULL;
    if (!g_spawn_async_with_pipes_and_fds(
            NULL, argv, (const char *const *)environment,
            G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, NULL,
            NULL, -1, -1, -1, &source, &target, socket >= 0 ? 1 : 0, &pid, NULL, NULL, &errors[0],
            &problem))
        return set_no_program(error);
    g_autofree char *text = berth_fd_read_text(errors[0]);
    close(errors[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        *ret_complaint = complaint_of(text);
    return true;
}

static int receive_descriptor(int socket)
{
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    int fd = -1;
    ssize_t size;
    do
        size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    const struct cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(fd)))
        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

int berth_fusermount_open(const char *path, const char *source, GError **error)
{
    int pair[2];
    g_autofree char *complaint = NULL;
    g_autofree char *options = g_strdup_printf("rw,nosuid,nodev,fsname=%s,subtype=berth", source);
    const char *const argv[] = {PROGRAM, "-o", options, "--", path, NULL};
    if (!check_device(error))
        return -1;
    if (berth_fd_socketpair(SOCK_STREAM, pair) < 0) {
        berth_error_set_errno(error, errno, "mount", "socketpair");
        return -1;
    }
    berth_autofd int ours = pair[0];
    berth_autofd int its = pair[1];
    if (!run(argv, its, &complaint, error))
        return -1;
    berth_fd_close(&its);
    int fd = complaint == NULL ? receive_descriptor(ours) : -1;
    if (fd < 0)
        berth_error_set(error, BERTH_ERROR_FAILED, "mount.refused", "name a directory of your own",
                        "%s: %s", path,
                        complaint != NULL && *complaint != '\0' ? complaint
                                                                : PROGRAM " did not mount it");
    return fd;
}

bool berth_fusermount_close(const char *path, bool lazy, GError **error)
{
    g_autofree char *complaint = NULL;
    const char *const plain[] = {PROGRAM, "-u", "--", path, NULL};
    const char *const detach[] = {PROGRAM, "-u", "-z", "--", path, NULL};
    if (!run(lazy ? detach : plain, -1, &complaint, error))
        return false;
    if (complaint == NULL)
        return true;
    if (strstr(complaint, "busy") != NULL) {
        g_autofree char *hint = g_strdup_printf(
            "close the programs that use it, or unmount it at once: berth umount --lazy %s", path);
        berth_error_set(error, BERTH_ERROR_BUSY, "umount.busy", hint, "%s is in use", path);
    } else {
        berth_error_set(error, BERTH_ERROR_FAILED, "umount.refused", NULL, "%s: %s", path,
                        complaint);
    }
    return false;
}

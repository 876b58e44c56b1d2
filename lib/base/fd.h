/* SPDX-License-Identifier: MIT
 *
 * fd — owned file descriptors.
 *
 * `berth_autofd int fd = -1;` closes the descriptor at the end of the scope; berth_fd_steal(&fd)
 * passes ownership on. Functions return -1 and set errno unless stated otherwise; -1 is always a
 * valid "no fd".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Close *@fd unless it is negative, keeping errno; *@fd becomes -1. */
void berth_fd_close(int *fd);
#define berth_autofd __attribute__((cleanup(berth_fd_close)))

/* Move the fd out of *@fd, which becomes -1. */
static inline int berth_fd_steal(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

/* Write all @size bytes, through EINTR and short writes. 0, or -1 with errno. For blocking fds. */
int berth_fd_write_all(int fd, const void *data, gsize size);

/* Make @fd non-blocking, or clear the flag. 0, or -1 with errno. */
int berth_fd_set_nonblocking(int fd, bool nonblocking);

/* Create a connected pair of close-on-exec unix sockets of @type (SOCK_STREAM, SOCK_DGRAM,
 * SOCK_SEQPACKET). 0, or -1 with errno. */
int berth_fd_socketpair(int type, int ret_pair[2]);

/* A listening unix stream socket, close-on-exec: at @path, replacing what was there; NULL: at an
 * abstract address of the kernel's choice. -1 with errno. */
int berth_fd_listen(const char *path);
/* Whether @path, with links followed, is the very file that @fd has open. */
bool berth_fd_is_path(int fd, const char *path);

/* Make the names in the directory @fd durable. 0, also on file systems that cannot sync a directory
 * and need not; or -1 with errno. */
int berth_fd_sync_directory(int fd);

/* A path (/proc/PID/fd/N) by which this process and its children can open @fd's file. Free with
 * g_free. */
char *berth_fd_path(int fd);

/* "/proc/self/fd/N", for calls of this process that take a path. */
#define BERTH_FD_PATH_SIZE 32
void berth_fd_self_path(int fd, char path[BERTH_FD_PATH_SIZE]);

/* Open the file of @fd (O_PATH) with @flags; it does not block, nor become a controlling terminal.
 * -errno if it fails. */
int berth_fd_reopen(int fd, int flags);

/* The text that can be read from @fd until its end, or until an error. Free with g_free. */
char *berth_fd_read_text(int fd);

G_END_DECLS

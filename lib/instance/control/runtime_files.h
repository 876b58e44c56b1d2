/* SPDX-License-Identifier: MIT
 *
 * runtime_files — the files of an instance's runtime directory, for all that remove them.
 *
 * The table in runtime_files.c has every name that a keeper, or a berth that starts one, gives to a
 * file there. A directory is named by a descriptor: what is removed is in that directory, not in
 * another that got its path meanwhile.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_RUNTIME_CONTROL "control"
#define BERTH_RUNTIME_MACHINE "machine.conf"
#define BERTH_RUNTIME_PORTS   "ports"
#define BERTH_RUNTIME_RESCUE  "rescue.cpio"
#define BERTH_RUNTIME_CLOUD   "cloud.cpio"
#define BERTH_RUNTIME_LOG     "keeper.log"
#define BERTH_RUNTIME_LOCK    "lock"
#define BERTH_RUNTIME_START   "start"
#define BERTH_RUNTIME_DOCKER  "docker.sock" /* the longest name there is */

/* The socket of the guest that BERTH_RUNTIME_DOCKER leads to. */
#define BERTH_GUEST_DOCKER_SOCKET "/run/docker.sock"

/* A descriptor of the directory @dir, close-on-exec; -1 with errno. */
int berth_runtime_files_open(const char *dir);

/* Open the file @name to read it, close-on-exec, and remove its name: nothing of it is left when
 * this process ends, however it ends. *@ret_path, to be freed with g_free, leads this process and
 * its children to the open file. -1 with errno. */
int berth_runtime_files_hold(int dir_fd, const char *name, char **ret_path);

/* Remove what an instance leaves that has ended: all but its locks and its log, which the next
 * start takes over. Does nothing for -1. */
void berth_runtime_files_end(int dir_fd);

/* Remove the directory @dir with all that is in it. What else lies there is removed too, but for
 * directories: it may be of another version, or half written. */
void berth_runtime_files_forget(const char *dir);

G_END_DECLS

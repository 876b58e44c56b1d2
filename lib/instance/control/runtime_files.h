/* SPDX-License-Identifier: MIT
 *
 * runtime_files — names the files of an instance's runtime directory, and removes them.
 *
 * The table in runtime_files.c has every file that a keeper, or a berth that starts one, creates
 * there. Functions take a descriptor of the directory, so that they never remove files of another
 * directory that got its path meanwhile.
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
#define BERTH_RUNTIME_SHARE   "share.sock"
#define BERTH_RUNTIME_DOCKER  "docker.sock" /* the longest name */

/* The guest's socket behind BERTH_RUNTIME_DOCKER. */
#define BERTH_GUEST_DOCKER_SOCKET "/run/docker.sock"

/* Open the directory @dir, close-on-exec; -1 with errno. */
int berth_runtime_files_open(const char *dir);

/* Open the file @name for reading, close-on-exec, and unlink it, so that it disappears with this
 * process. *@ret_path (free with g_free) is a path by which this process and its children can open
 * the file. -1 with errno. */
int berth_runtime_files_hold(int dir_fd, const char *name, char **ret_path);

/* Remove the files of an ended instance, except its locks and its log, which the next start reuses.
 * No-op for -1. */
void berth_runtime_files_end(int dir_fd);

/* Remove the directory @dir and every file in it, including unknown ones (of another version, or
 * incomplete), but no directories. */
void berth_runtime_files_forget(const char *dir);

G_END_DECLS

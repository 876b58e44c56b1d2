/* SPDX-License-Identifier: MIT
 *
 * nodes — the files that the host's kernel knows, each with the directory and the name where it was
 * seen last.
 *
 * A node keeps no descriptor: it is opened by its path each time, and used only if the file found
 * there is the node's (device, inode and time of birth). A file without a name is reached by a
 * descriptor that the host has open.
 *
 * Functions may be called from any thread. Those that return int return -errno on failure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define NODE_ROOT 1u

typedef struct {
    uint64_t device, inode, birth;
} NodeKey;

NodeKey node_key(const struct statx *info);

/* Prepare the table; its root is "/". Called once. */
int nodes_begin(void);

/* Open node @id with O_PATH. -ESTALE: it is not where it was. */
int node_open(uint64_t id);

/* Count a lookup of the file @info as @name in @parent, and return its id; 0: no memory. */
uint64_t node_enter(uint64_t parent, const char *name, const struct statx *info);

/* The kernel forgets @count lookups of @id. */
void node_forget(uint64_t id, uint64_t count);

/* The file @info is now @name in @parent, if the kernel knows it. */
void node_moved(uint64_t parent, const char *name, const struct statx *info);

/* ---- what the host has open ---- */

/* Keep @fd (taken, also on failure), which has node @id open. Returns a handle, or 0 and closes
 * it. */
uint64_t handle_add(uint64_t id, int fd);

/* The descriptor of @handle, borrowed until the host releases it; -ESTALE: there is none. */
int handle_fd(uint64_t handle);
void handle_release(uint64_t handle);

/* Whether the host's kernel may keep what it has cached of @id's data from the last time it opened
 * the file: nothing has changed since. @info is of now. */
bool node_is_unchanged(uint64_t id, const struct statx *info);

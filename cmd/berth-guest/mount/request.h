/* SPDX-License-Identifier: MIT
 *
 * request — a FUSE request of the host's kernel and the buffer for its answer.
 *
 * A handler returns the size of the answer's body, -errno, or REQUEST_NO_ANSWER. Handlers run in
 * several threads at once.
 */
#pragma once

#include "nodes.h"

#include <limits.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_NO_ANSWER INT_MIN

typedef struct {
    const struct fuse_in_header *header;
    const uint8_t *next; /* of the body; what the handler has not taken yet */
    size_t left;
    uint8_t *answer; /* the body, of WIRE_MOUNT_DATA bytes */
} Request;

typedef int (*RequestHandler)(Request *request);

/* The next @size bytes of the body, or NULL: it is shorter. */
const void *request_take(Request *request, size_t size);

/* The next string of the body, or NULL. */
const char *request_take_text(Request *request);

/* As request_take_text, for one component of a path. */
const char *request_take_name(Request *request);

#define ATTRIBUTES_PATH 32
/* The path of the file that @fd (O_PATH) is, for calls that take no such descriptor. */
void attributes_path(int fd, char path[ATTRIBUTES_PATH]);

/* ---- attributes.c ---- */

/* Call once, with the users whose numbers are exchanged: see mount.h. */
void attributes_begin(uint32_t host_uid, uint32_t host_gid);

/* Read the file @name in @fd, or @fd itself with "". 0 or -errno. */
int attributes_read(int fd, const char *name, struct statx *ret_info);

void attributes_fill(const struct statx *info, struct fuse_attr *ret_attributes);

/* Record a lookup of @name in the node @parent, open as @fd, and fill @entry. 0 or -errno. */
int attributes_enter(uint64_t parent, int fd, const char *name, struct fuse_entry_out *entry);

int serve_getattr(Request *request);
int serve_setattr(Request *request);
int serve_readlink(Request *request);
int serve_statfs(Request *request);
int serve_access(Request *request);
int serve_setxattr(Request *request);
int serve_getxattr(Request *request);
int serve_listxattr(Request *request);
int serve_removexattr(Request *request);

/* ---- names.c ---- */

int serve_lookup(Request *request);
int serve_forget(Request *request);
int serve_forget_many(Request *request);
int serve_mknod(Request *request);
int serve_mkdir(Request *request);
int serve_symlink(Request *request);
int serve_link(Request *request);
int serve_unlink(Request *request);
int serve_rmdir(Request *request);
int serve_rename(Request *request);
int serve_rename2(Request *request);
int serve_create(Request *request);

/* ---- data.c ---- */

int serve_open(Request *request);
int serve_read(Request *request);
int serve_write(Request *request);
int serve_flush(Request *request);
int serve_fsync(Request *request);
int serve_release(Request *request);
int serve_fallocate(Request *request);
int serve_lseek(Request *request);
int serve_copy(Request *request);

/* ---- directories.c ---- */

int serve_opendir(Request *request);
int serve_readdir(Request *request);
int serve_readdirplus(Request *request);

/* SPDX-License-Identifier: MIT
 *
 * edit — atomically changes parts of the distro's text files (/etc/hosts, passwd, ...) of any size
 * and content: readers see the old file or the new one. The rest is copied unchanged, and not
 * through memory.
 *
 * Paths are relative to the directory @root, within which symbolic links are resolved. Owner, mode
 * and extended attributes (SELinux labels, ACLs) are kept. The functions return 0, or -errno with
 * the file unchanged. -ENOLINK: the path is a dangling link, or a link to a file without write
 * permission (a read-only store).
 */
#pragma once

#include <sys/types.h>

/* Open the file for reading. Its descriptor, or -errno. */
int edit_open(int root, const char *path);

/* The bytes from @begin up to @end. */
typedef struct {
    off_t begin;
    off_t end;
} EditRange;

/* Replace @range by @text. */
int edit_splice(int root, const char *path, EditRange range, const char *text);

/* Append @text, whole lines, after completing an unterminated last line. */
int edit_append(int root, const char *path, const char *text);

/* Replace the whole content by @text; creates a missing file, owned by root, 0644. Does nothing
 * when the content is the same already. */
int edit_set(int root, const char *path, const char *text);

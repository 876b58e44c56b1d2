/* SPDX-License-Identifier: MIT
 *
 * edit — change a few bytes of the distro's own text files (/etc/hosts, passwd, ...), of whatever
 * size and content, in one step: readers see the old file or the new one. The rest is copied as it
 * is, and never held in memory.
 *
 * Paths are relative to the directory @root, in which symbolic links are followed. Owner, mode and
 * extended attributes (SELinux labels, ACLs) stay. The functions that change it return 0, or
 * -errno, and then the file is what it was. -ENOLINK: the path is a link to
 * nothing, or to a file without write permission (a read-only store); it stays as it is.
 */
#pragma once

#include <sys/types.h>

/* Open the file to be read. Its descriptor, or -errno. */
int edit_open(int root, const char *path);

/* The bytes from @begin up to @end. */
typedef struct {
    off_t begin;
    off_t end;
} EditRange;

/* Put @text in the place of @range. */
int edit_splice(int root, const char *path, EditRange range, const char *text);

/* Add @text, which is lines, at the end; a last line without an end gets one before. */
int edit_append(int root, const char *path, const char *text);

/* Make @text all there is in the file; one that is not there is made, root's and 0644. Nothing is
 * done when it is that already. */
int edit_set(int root, const char *path, const char *text);

/* SPDX-License-Identifier: MIT
 *
 * file — small files, whole. Paths are as the process sees them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The first line of @path without its end, cut at @size. False when it cannot be read. */
bool file_read_line(const char *path, char *line, size_t size);

/* All of @path up to 1 MiB, NUL-terminated; free() it. NULL with errno. */
char *file_read(const char *path);

/* Write @text into the existing file @path (sysctl, cgroup, trace files). 0, or -errno. */
int file_write(const char *path, const char *text);
int file_write_at(int directory, const char *path, const char *text);

/* Make @path a regular file with @text and @mode, in one step: readers see the old or the new. A
 * symlink at @path is replaced, not followed. Nothing is done when it is that already. 0, or
 * -errno. */
int file_replace(const char *path, const char *text, mode_t mode);

/* The same for a file that is there and keeps its mode and owner, or none: 0600, root's. */
int file_rewrite(const char *path, const char *text);

/* Make the file @name in @directory, which is made, with the line @text: a mark that something is
 * done and on the disk. 0, or -errno. */
int file_mark(const char *directory, const char *name, const char *text);

/* mkdir -p. 0, or -errno. */
int file_make_directories(const char *path, mode_t mode);

/* Make the file @path of what is in @from, a file that is read from where it stands. 0, or -errno.
 */
int file_copy(int from, const char *path, mode_t mode);

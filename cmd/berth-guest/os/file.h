/* SPDX-License-Identifier: MIT
 *
 * file — small files, whole. Paths are as the process sees them; those of the functions with _at
 * are relative to a directory. What is too large is not read at all, rather than in part: edit.h is
 * for files that are of any size.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* The first line of @path without its end, cut at @size. False when it cannot be read. */
bool file_read_line(const char *path, char *line, size_t size);
bool file_read_line_at(int directory, const char *path, char *line, size_t size);

/* @fd (taken, also on failure; negative: nothing) for reading. NULL with errno. */
FILE *file_stream(int fd);

/* All of @path, NUL-terminated; free() it. NULL with errno: EFBIG beyond 1 MiB. */
char *file_read(const char *path);

/* Write @text into the existing file @path (sysctl, cgroup, trace files). 0, or -errno. */
int file_write(const char *path, const char *text);
int file_write_at(int directory, const char *path, const char *text);

/* Write @size bytes. 0, or -errno. */
int file_write_all(int fd, const char *text, size_t size);

/* Make @path a regular file with @text and @mode, in one step: readers see the old or the new. A
 * symlink at @path is replaced, not followed. Nothing is done when it is that already. 0, or
 * -errno. */
int file_replace(const char *path, const char *text, mode_t mode);
int file_replace_at(int directory, const char *path, const char *text, mode_t mode);

/* Make the file @name in @directory, which is made, with the line @text: a mark that something is
 * done and on the disk. 0, or -errno. */
int file_mark(const char *directory, const char *name, const char *text);

/* mkdir -p. 0, or -errno. */
int file_make_directories(const char *path, mode_t mode);
int file_make_directories_at(int directory, const char *path, mode_t mode);

/* Copy from where @from stands to its end. 0, or -errno. */
int file_copy_bytes(int from, int to);

/* Make the file @path of what is in @from, a file that is read from where it stands. 0, or -errno.
 */
int file_copy(int from, const char *path, mode_t mode);

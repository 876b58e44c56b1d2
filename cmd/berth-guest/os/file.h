/* SPDX-License-Identifier: MIT
 *
 * file — reads and writes small files as a whole. Paths are the process's; those of _at functions
 * are relative to a directory. A file that is too large is an error, never read in part; edit.h
 * changes files of any size.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* Read the first line of @path without its newline, truncated to @size. False: it cannot be
 * read. */
bool file_read_line(const char *path, char *line, size_t size);
bool file_read_line_at(int directory, const char *path, char *line, size_t size);

/* Open @fd (taken, also on failure; may be negative) for reading. NULL with errno. */
FILE *file_stream(int fd);

/* Read all of @path, NUL-terminated; free() it. NULL with errno; EFBIG beyond 1 MiB. */
char *file_read(const char *path);

/* Write @text into the existing file @path (sysctl, cgroup, trace files). 0, or -errno. */
int file_write(const char *path, const char *text);
int file_write_at(int directory, const char *path, const char *text);

/* Write @size bytes. 0, or -errno. */
int file_write_all(int fd, const char *text, size_t size);

/* Atomically replace @path by a regular file with @text and @mode. A symlink at @path is replaced,
 * not followed. Does nothing when the file is the same already. 0, or -errno. */
int file_replace(const char *path, const char *text, mode_t mode);
int file_replace_at(int directory, const char *path, const char *text, mode_t mode);

/* Create @directory and in it the file @name with the line @text, after a sync: a marker that
 * earlier work is done and on disk. 0, or -errno. */
int file_mark(const char *directory, const char *name, const char *text);

/* Write the root's file system to the disk, and no other: one may be served by a process that does
 * not answer. */
void file_sync_root(void);

/* mkdir -p. 0, or -errno. */
int file_make_directories(const char *path, mode_t mode);
int file_make_directories_at(int directory, const char *path, mode_t mode);

/* Copy from the offset of @from to its end. 0, or -errno. */
int file_copy_bytes(int from, int to);

/* Create @path with the content of @from, from its offset on. 0, or -errno. */
int file_copy(int from, const char *path, mode_t mode);

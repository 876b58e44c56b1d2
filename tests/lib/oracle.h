/* SPDX-License-Identifier: MIT
 *
 * oracle — checks an image with e2fsprogs' programs. Asserts; never returns an error.
 */
#pragma once

#include <glib.h>

/* Make a temporary directory; remove it recursively. */
char *oracle_make_directory(void);
void oracle_remove_directory(char *path);

void oracle_remove_file(const char *path);

/* Expect e2fsck -fn to find no error. */
void oracle_check(const char *image);

/* The output of debugfs for @request. Free with g_free. */
char *oracle_ask(const char *image, const char *request);

/* "stat" of @path contains @text. */
void oracle_expect_stat(const char *image, const char *path, const char *text);

/* Expect the file to have these bytes. */
void oracle_expect_content(const char *image, const char *path, const void *data, gsize size);

/* Expect the attribute to have these bytes. */
void oracle_expect_xattr(const char *image, const char *path, const char *name, const void *data,
                         gsize size);

/* One of "atime", "mtime", "ctime", "crtime", decoded by hand from the two words on disk. */
void oracle_expect_time(const char *image, const char *path, const char *which, gint64 sec,
                        guint32 nsec);

/* Expect @path not to exist. */
void oracle_expect_missing(const char *image, const char *path);

/* SHA-256 of the file's data and its positions; skips holes. Free with g_free. */
char *oracle_digest(const char *path);

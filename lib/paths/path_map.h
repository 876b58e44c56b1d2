/* SPDX-License-Identifier: MIT
 *
 * path_map — translates paths between the host and a distro that sees some of its directories.
 *
 * Pure, and libc only: the host and the guest compile it. All paths are absolute and clean, as
 * path_clean (path_text.h) makes them. Returned strings are the caller's, to be freed with free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef enum { PATH_ON_HOST, PATH_IN_GUEST } PathSide;

/* A directory of the host, and its path in the guest. Borrowed. */
typedef struct {
    const char *sides[2]; /* by PathSide */
} PathPair;

/* The path on the other side of @path, which is one of side @from. The pair of the deepest
 * directory decides; of equal ones the first. NULL: @path is below none of them, or, with errno
 * ENOMEM, there is no memory. */
char *path_map(const PathPair *pairs, size_t count, PathSide from, const char *path);

/* SPDX-License-Identifier: MIT
 *
 * path_text — makes paths absolute and clean: without ".", "..", "//" and a slash at the end.
 *
 * Libc only: the host and the guest compile it. @base is absolute, and a relative path starts
 * there. Returned strings are the caller's, to be freed with free(); NULL, with errno ENOMEM: there
 * is no memory.
 */
#pragma once

/* By the text alone: ".." removes the component before it. */
char *path_clean(const char *base, const char *path);

/* By this machine's files: symbolic links are followed, the last one too. What does not exist, or
 * cannot be seen, is appended as by path_clean; so is a link that leads nowhere. */
char *path_resolve(const char *base, const char *path);

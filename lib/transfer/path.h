/* SPDX-License-Identifier: MIT
 *
 * path — the path of the entry at hand, for messages: components are pushed and popped as a walk
 * goes down and up. Zero-initialise; path_clear frees. Without memory the path is shorter than it
 * should be, and nothing else happens.
 */
#pragma once

#include <stddef.h>

typedef struct {
    char *text; /* NULL until the first push */
    size_t length;
    size_t capacity;
} Path;

/* Append @name behind a slash, unless it is the first. Returns the length before, for path_pop. */
size_t path_push(Path *path, const char *name);
void path_pop(Path *path, size_t length);
const char *path_text(const Path *path); /* borrowed, never NULL */
void path_clear(Path *path);

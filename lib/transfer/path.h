/* SPDX-License-Identifier: MIT
 *
 * path — the current path of a walk, for messages: the walk pushes a component when it enters a
 * directory and pops it when it leaves. Zero-initialise; path_clear frees. When memory runs out, a
 * push appends nothing and the text is too short.
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

/* SPDX-License-Identifier: MIT
 *
 * distro_tree — a temporary directory as a distro's /, for modules of berth-guest that take one as
 * a descriptor. Paths are relative to it.
 */
#pragma once

#include <glib.h>

typedef struct {
    char *path;
    int fd;
} DistroTree;

void distro_tree_set_up(DistroTree *tree, gconstpointer data);
void distro_tree_tear_down(DistroTree *tree, gconstpointer data);

/* Write the file @name, creating its directories. */
void distro_tree_put(DistroTree *tree, const char *name, const char *text, unsigned mode);

/* Read @name; g_free() the result. */
char *distro_tree_get(DistroTree *tree, const char *name);

/* Assert the content of @name. */
void distro_tree_assert_text(DistroTree *tree, const char *name, const char *wanted);

void distro_tree_link(DistroTree *tree, const char *name, const char *target);

/* The st_mode of @name, not following links; 0: it does not exist. */
unsigned distro_tree_mode(DistroTree *tree, const char *name);

/* List the directory @name, sorted, each name followed by a blank; g_free() it. */
char *distro_tree_list(DistroTree *tree, const char *name);

/* SPDX-License-Identifier: MIT
 *
 * distro_tree — a directory that stands for a distro's /, for the parts of berth-guest that take
 * one as a descriptor. Paths are relative to it.
 */
#pragma once

#include <glib.h>

typedef struct {
    char *path;
    int fd;
} DistroTree;

void distro_tree_set_up(DistroTree *tree, gconstpointer data);
void distro_tree_tear_down(DistroTree *tree, gconstpointer data);

/* Make the file @name, its directories too. */
void distro_tree_put(DistroTree *tree, const char *name, const char *text, unsigned mode);

/* The content of @name; g_free() it. */
char *distro_tree_get(DistroTree *tree, const char *name);

/* Assert that this is the content of @name. */
void distro_tree_assert_text(DistroTree *tree, const char *name, const char *wanted);

void distro_tree_link(DistroTree *tree, const char *name, const char *target);

/* The mode of @name's file or link itself, its type included; 0: there is none. */
unsigned distro_tree_mode(DistroTree *tree, const char *name);

/* What is in the directory @name, in order, each with a blank after it; g_free() it. */
char *distro_tree_list(DistroTree *tree, const char *name);

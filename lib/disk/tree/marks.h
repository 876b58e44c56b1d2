/* SPDX-License-Identifier: MIT
 *
 * marks — files by which programs believe that they are in a container, as docker export leaves
 * /.dockerenv. A machine hides them at its start by another name (cmd/berth-guest/distro,
 * container.h); an archive of it has them by their own.
 *
 * Works on the entries of a distro's tree in the order of their names. Nothing fails.
 */
#pragma once

#include "entry.h"

#include <stdbool.h>

G_BEGIN_DECLS

enum { BERTH_MARKS = 2 };

/* All zero at the beginning. */
typedef struct {
    bool conflicts[BERTH_MARKS]; /* the tree has the mark by its own name as well */
} BerthMarks;

/* Give a hidden mark, and hard links to it, its own name, unless that is conflicts: then both files
 * keep the names they have. */
void berth_marks_restore(BerthMarks *marks, BerthEntry *entry);

G_END_DECLS

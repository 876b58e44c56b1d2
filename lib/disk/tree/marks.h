/* SPDX-License-Identifier: MIT
 *
 * marks — files that make programs detect a container, such as the /.dockerenv that docker export
 * leaves. The guest renames them at boot (cmd/berth-guest/distro, container.h); an export restores
 * their names.
 *
 * Works on the entries of a distro's tree in the order of their names. Nothing fails.
 */
#pragma once

#include "entry.h"

#include <stdbool.h>

G_BEGIN_DECLS

enum { BERTH_MARKS = 2 };

/* Zero-initialise. */
typedef struct {
    bool conflicts[BERTH_MARKS]; /* the tree also has a file of the mark's own name */
} BerthMarks;

/* Restore the own name of a hidden mark and of hard links to it. If that name exists, both files
 * keep their current names. */
void berth_marks_restore(BerthMarks *marks, BerthEntry *entry);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * copy_problems — what went wrong in a copy, for the user: a single problem becomes the error,
 * several are a line each.
 */
#pragma once

#include "copy.h"

#include "transfer/stream.h"

G_BEGIN_DECLS

typedef struct {
    const BerthCopyOptions *copy;
    GError *first; /* held back until there is a second */
    guint count;
} BerthCopyProblems;

void berth_copy_problems_clear(BerthCopyProblems *problems);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthCopyProblems, berth_copy_problems_clear)

/* Add one, or print its line where nothing failed. */
void berth_copy_problems_add(BerthCopyProblems *problems, const TransferProblem *problem);

/* True when there is none. Once, at the end. */
bool berth_copy_problems_end(BerthCopyProblems *problems, GError **error);

G_END_DECLS

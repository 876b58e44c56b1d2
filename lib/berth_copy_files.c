/* SPDX-License-Identifier: MIT
 *
 * The public function over lib/lifecycle/copy.
 */
#include "berth.h"

#include "lifecycle/copy.h"

bool berth_copy_files(const BerthCopy *copy, GError **error)
{
    const BerthCopyOptions options = {
        .from = {copy->source_connection, copy->source_name},
        .sources = copy->sources,
        .to = {copy->target_connection, copy->target_name},
        .target = copy->target,
        .user = copy->user,
        .recursive = copy->recursive,
        .progress = copy->progress,
        .line = copy->line,
        .user_data = copy->user_data,
    };
    return berth_copy_run(&options, error);
}

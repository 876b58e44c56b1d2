/* SPDX-License-Identifier: MIT
 *
 * The public functions over lib/lifecycle/copy and guest_file.
 */
#include "berth_file.h"

#include "lifecycle/copy.h"
#include "lifecycle/guest_file.h"

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

static BerthGuestFile guest_file(const BerthFile *file)
{
    return (BerthGuestFile){file->connection, file->name, file->user, file->path};
}

bool berth_file_read(const BerthFile *file, guint64 offset, guint64 limit, int output,
                     GError **error)
{
    const BerthGuestFile there = guest_file(file);
    return berth_guest_file_read(&there, offset, limit, output, error);
}

bool berth_file_write(const BerthFile *file, int input, guint64 size, GError **error)
{
    const BerthGuestFile there = guest_file(file);
    return berth_guest_file_write(&there, input, size, error);
}

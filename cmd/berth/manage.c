/* SPDX-License-Identifier: MIT
 *
 * berth manage — WSL's spelling of move and resize.
 */
#include "commands.h"
#include "move.h"
#include "resize.h"

static const Option options[] = {
    {"move", 'm', "DIR", "The same as berth move NAME DIR"},
    {"resize", 'r', "SIZE", "The same as berth resize NAME SIZE"},
    {NULL},
};

static int run(Invocation *invocation, GError **error)
{
    const char *name = invocation->arguments[0];
    const char *directory = invocation_value(invocation, "move");
    const char *size = invocation_value(invocation, "resize");
    if (directory != NULL && size == NULL)
        return move_run(invocation, name, directory, error);
    if (directory == NULL && size != NULL)
        return resize_run(invocation, name, size, error);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                    "\"berth manage --help\" lists its options", "one of its options is needed");
    return -1;
}

const Command command_manage = {
    .name = "manage",
    .spellings = "--manage",
    .synopsis = "NAME OPTION",
    .completes = "distro",
    .summary = "Move or resize a distro's disk, in wsl.exe's spelling",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run,
};

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
    {"set-sparse", 's', "BOOL", "true, as all disks are", "true"},
    {NULL},
};

/* Disks are sparse files, and cannot be otherwise. */
static int set_sparse(Invocation *invocation, const char *name, const char *value, GError **error)
{
    g_autofree char *resolved = berth_resolve(invocation->berth, name, error);
    invocation->subject = name;
    if (resolved == NULL)
        return -1;
    if (g_ascii_strcasecmp(value, "true") == 0)
        return 0;
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                    "--set-sparse: only true is possible: each disk is a sparse file");
    return -1;
}

static int run(Invocation *invocation, GError **error)
{
    const char *name = invocation->arguments[0];
    const char *directory = invocation_value(invocation, "move");
    const char *size = invocation_value(invocation, "resize");
    const char *sparse = invocation_value(invocation, "set-sparse");
    if (invocation->given->len != 1) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                        "\"berth manage --help\" lists its options",
                        "exactly one of its options is needed");
        return -1;
    }
    if (directory != NULL)
        return move_run(invocation, name, directory, error);
    return size != NULL ? resize_run(invocation, name, size, error)
                        : set_sparse(invocation, name, sparse, error);
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

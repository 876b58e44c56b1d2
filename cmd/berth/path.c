/* SPDX-License-Identifier: MIT
 *
 * berth path — translates a path between this host and a distro that sees the host's directories,
 * with the options of WSL's wslpath.
 */
#include "commands.h"

#include "base/fd.h"
#include "print.h"

#include <stdio.h>

static const Option options[] = {
    {"distribution", 'd', "NAME", "Use this distro instead of the default one"},
    {"to-guest", 'u', NULL, "PATH is on this host (the default)"},
    {"to-host", 'w', NULL, "PATH is in the distro"},
    {"mixed", 'm', NULL, "The same as -w"},
    {"absolute", 'a', NULL, "No effect: the path is always absolute"},
    {NULL},
};

static int run(Invocation *invocation, GError **error)
{
    bool to_host = invocation_flag(invocation, "to-host") || invocation_flag(invocation, "mixed");
    if (to_host && invocation_flag(invocation, "to-guest")) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.option", "give one of them",
                        "-u and -w exclude each other");
        return -1;
    }
    g_autofree char *distro =
        berth_resolve(invocation->berth, invocation_value(invocation, "distribution"), error);
    if (distro == NULL)
        return -1;
    g_autofree char *notice = NULL;
    berth_autofd int connection = berth_connect(invocation->berth, distro, &notice, error);
    print_notice(notice);
    if (connection < 0)
        return -1;
    const char *path = invocation_first(invocation);
    g_autofree char *result = to_host ? berth_path_to_host(connection, distro, path, error)
                                      : berth_path_to_guest(connection, distro, path, error);
    if (result == NULL)
        return -1;
    puts(result);
    return 0;
}

const Command command_path = {
    .name = "path",
    .synopsis = "[OPTION]... PATH",
    .completes = "file",
    .summary = "Translate a path between this host and a distro",
    .details = "The command prints the distro's path of PATH, a file or directory of this host,\n"
               "and starts the distro if it is not running. With -w, PATH is a path in the\n"
               "distro, and the command prints this host's path of it. PATH need not exist.\n"
               "Symbolic links on this host are followed. A relative PATH begins in the current\n"
               "directory.",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run,
};

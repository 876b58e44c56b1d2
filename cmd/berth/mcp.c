/* SPDX-License-Identifier: MIT
 *
 * berth mcp — serves distros to programs by the Model Context Protocol. The server is a program of
 * its own, berth-mcp: a library that reads JSON would delay the start of every other command.
 */
#include "commands.h"

#include <errno.h>
#include <unistd.h>

static const Option options[] = {
    {"distro", 'd', "NAME", "Serve only this distro; may be repeated", "distro"},
    {"read-only", 0, NULL, "Omit the tools that change a distro or run a command"},
    {NULL},
};

/* An unknown name is an error now, not at the first call. */
static bool add_distros(const Invocation *invocation, GPtrArray *argv, GError **error)
{
    const char *given;
    for (guint i = 0; (given = invocation_nth_value(invocation, "distro", i)) != NULL; i++) {
        char *name = berth_resolve(invocation->berth, given, error);
        if (name == NULL)
            return false;
        g_ptr_array_add(argv, name);
    }
    return true;
}

static int run(Invocation *invocation, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *program = berth_mcp_program(invocation->berth);
    g_ptr_array_add(argv, g_strdup(program));
    g_ptr_array_add(
        argv, g_strdup(invocation_flag(invocation, "read-only") ? "read-only" : "read-write"));
    if (!add_distros(invocation, argv, error))
        return -1;
    g_ptr_array_add(argv, NULL);
    execv(program, (char **)argv->pdata);
    berth_error_set_errno(error, errno, "mcp.program", "%s", program);
    return -1;
}

const Command command_mcp = {
    .name = "mcp",
    .synopsis = "[OPTION]...",
    .summary = "Serve distros to programs by the Model Context Protocol",
    .details = "A client, such as an editor or an agent, starts \"berth mcp\" and exchanges\n"
               "JSON-RPC messages with it over standard input and output. The tools are list,\n"
               "status, ports, snapshots, run, read, write, start, suspend, terminate, snapshot,\n"
               "restore and undo. They make the same checks and return the same error codes as\n"
               "the commands.\n"
               "\n"
               "A client may do what you may do: run any command in the distros, and so change\n"
               "files of your home directory if it is shared. --distro limits the client to some\n"
               "distros, and --read-only to list, status, ports, snapshots and read. The tool\n"
               "read starts a distro that is stopped. No tool removes a snapshot, except that a\n"
               "restore replaces before-restore. A client with a configuration file needs these\n"
               "lines:\n"
               "    {\"mcpServers\": {\"berth\": {\"command\": \"berth\", \"args\": [\"mcp\"]}}}",
    .options = options,
    .run = run,
};

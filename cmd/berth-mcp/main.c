/* SPDX-License-Identifier: MIT
 *
 * berth-mcp read-only|read-write [NAME...] — serves the Model Context Protocol on standard input
 * and output, for all distros or those NAMEs. `berth mcp` becomes this program.
 *
 * Each call of a tool is a command line of berth's, run in a process of its own by the same table
 * of commands: so it has the same checks, defaults and errors.
 */
#include "mcp/serve.h"
#include "perform.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In the child of a call. */
static BerthPerformed run_command(char **argv)
{
    g_auto(Invocation) invocation = {NULL};
    BerthPerformed performed = {.status = -1};
    performed.status = perform((int)g_strv_length(argv), argv, &invocation, &performed.error);
    if (fflush(stdout) != 0 && performed.error == NULL) {
        performed.status = -1;
        berth_error_set_errno(&performed.error, errno, "output", "standard output");
    }
    if (performed.error != NULL)
        performed.description = perform_describe(&invocation, performed.error);
    return performed;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (argc < 2 || (strcmp(argv[1], "read-only") != 0 && strcmp(argv[1], "read-write") != 0)) {
        fputs("berth-mcp: run \"berth mcp\" instead\n", stderr);
        return 2;
    }
    const BerthMcpServe serve = {
        .input = STDIN_FILENO,
        .output = STDOUT_FILENO,
        .version = berth_version(),
        .access = {.distros = (const char *const *)argv + 2,
                   .read_only = strcmp(argv[1], "read-only") == 0},
        .perform = run_command,
    };
    if (berth_mcp_serve(&serve, &error))
        return 0;
    fprintf(stderr, "berth: mcp: %s\ncode: %s\n", error->message, berth_error_id(error));
    return 1;
}

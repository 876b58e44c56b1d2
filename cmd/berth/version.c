/* SPDX-License-Identifier: MIT
 *
 * berth version — prints the versions of berth, its kernel and QEMU.
 */
#include "commands.h"

#include "json.h"

#include <stdio.h>

static const Option options[] = {{"json", 0, NULL, "For programs, as JSON"}, {NULL}};

static int run(Invocation *invocation, GError **error)
{
    g_autofree char *kernel = NULL;
    g_autofree char *emulator = NULL;
    berth_versions(invocation->berth, &kernel, &emulator);
    if (!invocation_flag(invocation, "json")) {
        printf("berth  %s\nkernel %s\nQEMU   %s\n", berth_version(),
               kernel != NULL ? kernel : "not found", emulator != NULL ? emulator : "not found");
        return 0;
    }
    Json *json = json_begin(false);
    json_add_string(json, "version", berth_version());
    json_add_number(json, "protocol", berth_protocol_version());
    json_add_number(json, "control_protocol", berth_control_version());
    json_add_string(json, "kernel", kernel);
    json_add_string(json, "qemu", emulator);
    json_print(json);
    return 0;
}

const Command command_version = {
    .name = "version",
    .spellings = "--version -v",
    .synopsis = "[OPTION]...",
    .summary = "Show the versions of berth, its kernel and QEMU",
    .options = options,
    .run = run,
};

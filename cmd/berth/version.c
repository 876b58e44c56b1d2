/* SPDX-License-Identifier: MIT
 *
 * berth version — prints berth's version.
 */
#include "commands.h"

#include "json.h"

#include <stdio.h>

static const Option options[] = {{"json", 0, NULL, "For programs, as JSON"}, {NULL}};

static int run(Invocation *invocation, GError **error)
{
    if (!invocation_flag(invocation, "json")) {
        printf("berth %s\n", berth_version());
        return 0;
    }
    Json *json = json_begin(false);
    json_add_string(json, "version", berth_version());
    json_add_number(json, "protocol", berth_protocol_version());
    json_add_number(json, "control_protocol", berth_control_version());
    json_print(json);
    return 0;
}

const Command command_version = {
    .name = "version",
    .spellings = "--version -v",
    .synopsis = "[OPTION]...",
    .summary = "Show berth's version",
    .options = options,
    .run = run,
};

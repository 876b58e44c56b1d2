/* SPDX-License-Identifier: MIT
 *
 * berth version — which berth this is.
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
    JsonBuilder *builder = json_begin();
    json_add_string(builder, "version", berth_version());
    json_add_number(builder, "protocol", berth_protocol_version());
    json_print(builder);
    return 0;
}

const Command command_version = {
    .name = "version",
    .spellings = "--version -v",
    .synopsis = "[OPTION]...",
    .summary = "Show which berth this is",
    .options = options,
    .run = run,
};

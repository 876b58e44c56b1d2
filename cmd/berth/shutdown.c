/* SPDX-License-Identifier: MIT
 *
 * berth shutdown — powers off all distros, in parallel.
 */
#include "commands.h"

#include "print.h"

static const Option options[] = {
    {"force", 0, NULL, "Stop at once, without an orderly power-off"},
    {"grace", 0, "SECONDS", "Time for the orderly power-off, before it is forced"},
    {NULL},
};

static int run(Invocation *invocation, GError **error)
{
    BerthStop stop = {.force = invocation_flag(invocation, "force"),
                      .grace_sec = -1,
                      .was_parked = print_was_parked};
    bool ok = invocation_number(invocation, "grace", 86400, &stop.grace_sec, error) &&
              berth_stop(invocation->berth, NULL, &stop, error);
    return ok ? 0 : -1;
}

const Command command_shutdown = {
    .name = "shutdown",
    .spellings = "--shutdown",
    .synopsis = "[OPTION]...",
    .summary = "Power off all distros",
    .options = options,
    .run = run,
};

/* SPDX-License-Identifier: MIT
 *
 * berth shutdown — powers off all distros, in parallel.
 */
#include "commands.h"

#include "print.h"

static const Option options[] = {
    {"force", 0, NULL, "At once, without asking the distros"},
    {"grace", 0, "SECONDS", "How long powering off may take before it is forced"},
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
    .summary = "Power all distros off",
    .options = options,
    .run = run,
};

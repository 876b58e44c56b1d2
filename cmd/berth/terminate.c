/* SPDX-License-Identifier: MIT
 *
 * berth terminate — powers off the named distros, in parallel.
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
    if (invocation->n_arguments == 1)
        invocation->subject = invocation_first(invocation);
    BerthStop stop = {.force = invocation_flag(invocation, "force"),
                      .grace_sec = -1,
                      .not_running = print_not_running,
                      .was_parked = print_was_parked};
    bool ok =
        invocation_number(invocation, "grace", 86400, &stop.grace_sec, error) &&
        berth_stop(invocation->berth, (const char *const *)invocation->arguments, &stop, error);
    return ok ? 0 : -1;
}

const Command command_terminate = {
    .name = "terminate",
    .spellings = "--terminate -t stop",
    .synopsis = "[OPTION]... NAME...",
    .completes = "distro...",
    .summary = "Power off distros",
    .details = "A distro that is not running is no error.",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = options,
    .run = run,
};

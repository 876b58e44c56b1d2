/* SPDX-License-Identifier: MIT
 *
 * berth terminate — power distros off, all that are named at once.
 */
#include "commands.h"

static const Option options[] = {
    {"force", 0, NULL, "At once, without asking the distro"},
    {"grace", 0, "SECONDS", "How long powering off may take before it is forced"},
    {NULL},
};

static int run(Invocation *invocation, GError **error)
{
    if (invocation->n_arguments == 1)
        invocation->subject = invocation_first(invocation);
    BerthStop stop = {.force = invocation_flag(invocation, "force"), .grace_sec = -1};
    bool ok =
        invocation_number(invocation, "grace", 86400, &stop.grace_sec, error) &&
        berth_stop(invocation->berth, (const char *const *)invocation->arguments, &stop, error);
    return ok ? 0 : -1;
}

const Command command_terminate = {
    .name = "terminate",
    .spellings = "--terminate -t stop",
    .synopsis = "[OPTION]... NAME...",
    .summary = "Power distros off",
    .details = "A distro that is not running is no error.",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = options,
    .run = run,
};

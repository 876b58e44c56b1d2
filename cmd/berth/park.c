/* SPDX-License-Identifier: MIT
 *
 * berth park — suspends the named distros and saves their memory in files, in parallel.
 */
#include "commands.h"

#include "print.h"

static int run(Invocation *invocation, GError **error)
{
    if (invocation->n_arguments == 1)
        invocation->subject = invocation_first(invocation);
    const BerthSuspend suspend = {.not_running = print_not_running};
    bool ok =
        berth_park(invocation->berth, (const char *const *)invocation->arguments, &suspend, error);
    return ok ? 0 : -1;
}

const Command command_park = {
    .name = "park",
    .synopsis = "NAME...",
    .completes = "distro...",
    .summary = "Suspend distros and write their memory to disk",
    .details = "berth suspends the distro, writes its memory to a file beside its disk, and\n"
               "frees the memory on this host. The file is as large as the memory that the\n"
               "distro was using. Programs, sessions, connections and forwarded ports stay, as\n"
               "with \"berth suspend\", and the distro continues as soon as it is needed.\n"
               "\n"
               "If this host's disk is full, the distro stays suspended in memory. berth also\n"
               "parks a suspended distro by itself: after ten minutes (the setting park-after),\n"
               "or when this host is short of memory.",
    .min_arguments = 1,
    .max_arguments = -1,
    .run = run,
};

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
    .summary = "Suspend distros and give their memory back",
    .details =
        "The distro is suspended, and its memory goes to a file beside its disk: what it used "
        "of\n"
        "this host's memory is free then. As with \"berth suspend\" its programs, sessions,\n"
        "connections and forwarded ports stay, and it goes on where it was as soon as it is\n"
        "needed. The file is as large as what the distro had in use. If the host's disk is full,\n"
        "the distro stays suspended in memory. A suspended distro is parked by itself after ten\n"
        "minutes (the setting park-after), and when this host is short of memory.",
    .min_arguments = 1,
    .max_arguments = -1,
    .run = run,
};

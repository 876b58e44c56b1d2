/* SPDX-License-Identifier: MIT
 *
 * berth suspend — suspends the named distros, in parallel.
 */
#include "commands.h"

#include "print.h"

static int run(Invocation *invocation, GError **error)
{
    if (invocation->n_arguments == 1)
        invocation->subject = invocation_first(invocation);
    const BerthSuspend suspend = {.not_running = print_not_running};
    bool ok = berth_suspend(invocation->berth, (const char *const *)invocation->arguments, &suspend,
                            error);
    return ok ? 0 : -1;
}

const Command command_suspend = {
    .name = "suspend",
    .synopsis = "NAME...",
    .completes = "distro...",
    .summary = "Suspend distros until they are needed",
    .details = "A suspended distro uses no processor time, and keeps its memory. Its programs,\n"
               "sessions, connections and forwarded ports stay. It continues when:\n"
               "  - a command needs it, such as \"berth run\" or \"berth cp\"\n"
               "  - you type in an open shell\n"
               "  - a network packet for it arrives, such as a connection to a forwarded port\n"
               "  - a job of cron or at, or an OnCalendar= timer of systemd, is due in it\n"
               "A connection waits until then. A distro that is suspended already, or is not\n"
               "running, is no error.",
    .min_arguments = 1,
    .max_arguments = -1,
    .run = run,
};

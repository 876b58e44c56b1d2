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
    .details =
        "A suspended distro takes no processor time, and keeps its memory. Its programs, "
        "sessions,\n"
        "connections and forwarded ports stay. It goes on where it was with the next command that\n"
        "needs it: \"berth run\", \"berth cp\", input in an open shell; or with a packet from the\n"
        "network: a connection to a forwarded port, which waits meanwhile; or when\n"
        "a job of cron's or an OnCalendar= timer of systemd's is due. A distro that is suspended\n"
        "already, or is not running, is no error.",
    .min_arguments = 1,
    .max_arguments = -1,
    .run = run,
};

/* SPDX-License-Identifier: MIT
 *
 * berth compact — returns unused space of a distro's disk to the host.
 */
#include "commands.h"

#include "base/size.h"
#include "work.h"

#include <stdio.h>

static int run(Invocation *invocation, GError **error)
{
    const char *name = invocation->arguments[0];
    guint64 before, after;
    invocation->subject = name;
    Work work;
    work_begin(&work, name);
    bool ok = berth_compact(invocation->berth, name, work_goes_on, &work, &before, &after, error);
    work_end(&work);
    if (!ok)
        return -1;

    g_autofree char *old = berth_size_format(before);
    g_autofree char *new = berth_size_format(after);
    g_autofree char *back = berth_size_format(before > after ? before - after : 0);
    printf("%s before, %s after: %s freed\n", old, new, back);
    return 0;
}

const Command command_compact = {
    .name = "compact",
    .synopsis = "NAME",
    .summary = "Return a distro's unused disk space to this host",
    .details = "A running distro returns space by itself when files are deleted. This command\n"
               "finds unused space that was not returned then.",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};

/* SPDX-License-Identifier: MIT
 *
 * berth clone — makes a second distro with the same content.
 */
#include "commands.h"

#include "work.h"

static int run(Invocation *invocation, GError **error)
{
    const char *source = invocation->arguments[0];
    const char *name = invocation->arguments[1];
    invocation->subject = source;
    Work work;
    work_begin(&work, name);
    bool ok = berth_clone(invocation->berth, source, name, work_goes_on, &work, error);
    work_end(&work);
    return ok ? 0 : -1;
}

const Command command_clone = {
    .name = "clone",
    .synopsis = "SOURCE NAME",
    .completes = "distro",
    .summary = "Make a second distro with the same content",
    .details =
        "Where the host's file system can share blocks, this takes no time and no space. A SOURCE\n"
        "that runs writes its files to the disk and stands still meanwhile: its programs and\n"
        "connections go on afterwards, and what wants it waits. The clone is stopped, and has a\n"
        "machine-id and ssh host keys of its own.",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};

/* SPDX-License-Identifier: MIT
 *
 * berth clone — makes a second distro with the same content.
 */
#include "commands.h"

#include "print.h"
#include "work.h"

#include <unistd.h>

static const Option options[] = {
    {"live", 0, NULL, "With its memory: the clone goes on where SOURCE is, and is started"},
    {NULL},
};

/* Start the live clone @name, which continues from the memory that was copied. */
static int start(Invocation *invocation, const char *name, GError **error)
{
    g_autofree char *notice = NULL;
    int fd = berth_connect(invocation->berth, name, &notice, error);
    if (notice != NULL)
        print_notice(notice);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int run(Invocation *invocation, GError **error)
{
    const char *source = invocation->arguments[0];
    const char *name = invocation->arguments[1];
    invocation->subject = source;
    Work work;
    work_begin(&work, name);
    bool live = invocation_flag(invocation, "live");
    bool ok = (live ? berth_clone_live : berth_clone)(invocation->berth, source, name, work_goes_on,
                                                      &work, error);
    work_end(&work);
    if (!ok)
        return -1;
    invocation->subject = name;
    return live ? start(invocation, name, error) : 0;
}

const Command command_clone = {
    .name = "clone",
    .synopsis = "[--live] SOURCE NAME",
    .completes = "distro",
    .summary = "Make a second distro with the same content",
    .details =
        "Where the host's file system can share blocks, this takes no time and no space. A SOURCE\n"
        "that runs writes its files to the disk and stands still meanwhile: its programs and\n"
        "connections go on afterwards, and what wants it waits. The clone is stopped, and has a\n"
        "machine-id and ssh host keys of its own. With --live SOURCE must run or be suspended,\n"
        "and the clone has its memory, too: it starts without a boot, with the same programs. It\n"
        "gets its name, machine-id, host keys and random numbers before they go on; what a\n"
        "program has read of the former ones (systemd's journal: the machine-id) it keeps until\n"
        "it is restarted. Commands and connections of SOURCE's end in the clone.",
    .min_arguments = 2,
    .max_arguments = 2,
    .options = options,
    .run = run,
};

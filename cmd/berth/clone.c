/* SPDX-License-Identifier: MIT
 *
 * berth clone — makes a second distro with the same content.
 */
#include "commands.h"

#include "print.h"
#include "work.h"

#include <unistd.h>

static const Option options[] = {
    {"live", 0, NULL, "Copy the memory too, and start the clone"},
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
    .summary = "Make a copy of a distro under another name",
    .details = "Where the host's file system can share blocks (btrfs, XFS), a clone takes no\n"
               "time and no space. If SOURCE is running, it pauses while its disk is copied; its\n"
               "programs and connections continue afterwards. The clone is stopped, and has its\n"
               "own machine-id and ssh host keys.\n"
               "\n"
               "With --live, the clone also gets a copy of the memory of SOURCE, which must be\n"
               "running or suspended. The clone starts without booting, with the same programs,\n"
               "and with its own name, machine-id, ssh host keys and random seed. A program that\n"
               "has already read the old machine-id, such as systemd's journal, keeps it until\n"
               "you restart the program. In the clone, the commands and connections of SOURCE\n"
               "end.",
    .min_arguments = 2,
    .max_arguments = 2,
    .options = options,
    .run = run,
};

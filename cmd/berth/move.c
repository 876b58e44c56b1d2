/* SPDX-License-Identifier: MIT
 *
 * berth move — moves a distro's disk to another directory.
 */
#include "move.h"

#include "commands.h"
#include "work.h"

#include <string.h>

static const Option options[] = {
    {"default", 0, NULL, "Move it to the default directory"},
    {NULL},
};

int move_run(Invocation *invocation, const char *name, const char *directory, GError **error)
{
    invocation->subject = name;
    Work work;
    work_begin(&work, name);
    bool ok = berth_move(invocation->berth, name, directory, work_goes_on, &work, error);
    work_end(&work);
    return ok ? 0 : -1;
}

static int run(Invocation *invocation, GError **error)
{
    const char *directory = invocation->arguments[1];
    bool back = invocation_flag(invocation, "default");
    if (back == (directory != NULL) || (directory != NULL && directory[0] == '\0')) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                        "usage: berth move NAME DIR, or berth move NAME --default",
                        "either a directory or --default is needed");
        return -1;
    }
    return move_run(invocation, invocation->arguments[0], directory, error);
}

const Command command_move = {
    .name = "move",
    .synopsis = "[OPTION]... NAME [DIR]",
    .completes = "distro dir",
    .summary = "Move a distro's disk to another directory",
    .details = "The distro must be stopped. In DIR, the disk is called NAME.ext4.",
    .min_arguments = 1,
    .max_arguments = 2,
    .options = options,
    .run = run,
};

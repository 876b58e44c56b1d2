/* SPDX-License-Identifier: MIT
 *
 * berth resize — changes the size of a distro's disk.
 */
#include "resize.h"

#include "base/size.h"
#include "commands.h"
#include "work.h"

static bool read_size(const char *text, guint64 *ret_size, GError **error)
{
    if (berth_size_parse(text, ret_size))
        return true;
    g_autofree char *shown = g_strescape(text, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", "for example 512G or 2T",
                    "\"%.80s\" is not a size", shown);
    return false;
}

int resize_run(Invocation *invocation, const char *name, const char *size, GError **error)
{
    guint64 bytes;
    invocation->subject = name;
    if (!read_size(size, &bytes, error))
        return -1;
    Work work;
    work_begin(&work, name);
    bool ok = berth_resize(invocation->berth, name, bytes, work_goes_on, &work, error);
    work_end(&work);
    return ok ? 0 : -1;
}

static int run(Invocation *invocation, GError **error)
{
    return resize_run(invocation, invocation->arguments[0], invocation->arguments[1], error);
}

const Command command_resize = {
    .name = "resize",
    .synopsis = "NAME SIZE",
    .completes = "distro",
    .summary = "Make a distro's disk larger or smaller",
    .details = "SIZE is the most that the disk can hold, such as 512G; the disk takes only the\n"
               "space that it uses. You can enlarge the disk of a running distro. To shrink a\n"
               "disk, stop the distro; this host then needs e2fsprogs and, if its file system\n"
               "cannot share blocks, space for a copy.",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};

/* SPDX-License-Identifier: MIT */
#include "diff.h"

#include "base/error.h"
#include "watch.h"
#include "worker.h"

#include <string.h>

static char *describe(const char *option, const BerthDiffDisk *disk)
{
    return disk->name != NULL ? g_strdup_printf("%s=snapshot %s", option, disk->name)
                              : g_strdup_printf("%s=disk", option);
}

static bool feed(const void *data, gsize size, gpointer user_data, GError **error)
{
    return berth_difference_feed(user_data, data, size, error);
}

/* A snapshot cannot be started to replay its journal. */
static void explain_unclean(const BerthDistro *distro, GError *problem, GError **error)
{
    g_autofree char *hint =
        g_strdup_printf("start %s and stop it again; of a snapshot: berth restore %s TAG first",
                        distro->name, distro->name);
    berth_error_set(error, BERTH_ERROR_INVALID, "diff.unclean", hint, "%s", problem->message);
}

bool berth_manage_diff(const BerthLayout *layout, const BerthDistro *distro,
                       const BerthDiffDisk *old, const BerthDiffDisk *new,
                       const BerthDiffWatch *watch, GError **error)
{
    g_autofree char *program = berth_layout_image_program(layout);
    g_autofree char *old_name = describe("old", old);
    g_autofree char *new_name = describe("new", new);
    g_autoptr(GByteArray) partial = g_byte_array_new();
    BerthDifferenceReader reader = {partial, watch->difference, watch->user_data};
    const BerthWorkerSink sink = {feed, &reader};
    const char *const options[] = {old_name, new_name, NULL};
    const BerthWorkerJob job = {.verb = "diff",
                                .what = "disk",
                                .options = options,
                                .input = old->fd,
                                .output = -1,
                                .spool = new->fd,
                                .sink = &sink};
    g_auto(BerthImageStatus) status = {0};
    g_autoptr(GError) problem = NULL;
    if (berth_worker_run(program, &job, berth_watch_progress, (gpointer)&watch->work, &status,
                         &problem))
        return berth_difference_end(&reader, error);
    if (strcmp(berth_error_id(problem), "export.read.unclean") == 0)
        explain_unclean(distro, problem, error);
    else
        g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

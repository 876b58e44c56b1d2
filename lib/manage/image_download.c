/* SPDX-License-Identifier: MIT */
#include "image_download.h"

#include "download_file.h"
#include "watch.h"
#include "worker.h"

#define SHA256 "sha256:"

/* Run berth-fetch's @verb for what is called @name in the repository of @reference. */
static bool run(const BerthLayout *layout, const BerthImageReference *reference, const char *verb,
                const char *name, int output, BerthProgressFunc progress, gpointer user_data,
                BerthImageStatus *ret_status, GError **error)
{
    g_autofree char *program = berth_layout_fetch_program(layout);
    g_autofree char *where = berth_image_reference_base(reference);
    g_autofree char *base = g_strconcat("base=", where, NULL);
    g_autofree char *repository = g_strconcat("repository=", reference->repository, NULL);
    g_autofree char *wanted = g_strconcat("reference=", name, NULL);
    const char *const options[] = {base, repository, wanted, NULL};
    const BerthWorkerJob job = {.verb = verb,
                                .step = "fetch",
                                .what = "image",
                                .options = options,
                                .input = -1,
                                .output = output,
                                .spool = -1};
    return berth_worker_run(program, &job, progress, user_data, ret_status, error);
}

char *berth_image_download_resolve(const BerthLayout *layout, const BerthImageReference *reference,
                                   const BerthWatch *watch, GError **error)
{
    g_auto(BerthImageStatus) status = {0};
    if (reference->digest != NULL)
        return g_strdup(reference->digest);
    if (!run(layout, reference, "resolve", reference->tag, -1, berth_watch_progress,
             (gpointer)watch, &status, error))
        return NULL;
    return berth_download_digest(&status);
}

bool berth_image_download_run(const BerthLayout *layout, const BerthDownload *download, int output,
                              BerthProgressFunc progress, gpointer user_data, GError **error)
{
    g_auto(BerthImageStatus) status = {0};
    g_autofree char *name = g_strconcat(SHA256, download->sha256, NULL);
    return run(layout, download->image, "image", name, output, progress, user_data, &status, error);
}

/* SPDX-License-Identifier: MIT */
#include "image_download.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/file/temp.h"
#include "download_file.h"
#include "watch.h"
#include "worker.h"

#define SUFFIX ".image"
#define SHA256 "sha256:"

/* Run berth-fetch's @verb for what is called @name in the repository of @reference. */
static bool run(const BerthLayout *layout, const BerthImageReference *reference, const char *verb,
                const char *name, int output, const BerthWatch *watch, BerthImageStatus *ret_status,
                GError **error)
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
    return berth_worker_run(program, &job, berth_watch_progress, (gpointer)watch, ret_status,
                            error);
}

/* The digits of what the tag means now. Free with g_free. */
static char *resolve(const BerthLayout *layout, const BerthImageReference *reference,
                     const BerthWatch *watch, GError **error)
{
    g_auto(BerthImageStatus) status = {0};
    if (reference->digest != NULL)
        return g_strdup(reference->digest);
    if (!run(layout, reference, "resolve", reference->tag, -1, watch, &status, error))
        return NULL;
    return berth_download_digest(&status);
}

static bool download(const BerthLayout *layout, const BerthImageReference *reference,
                     const char *digest, const char *path, const BerthWatch *watch, GError **error)
{
    g_auto(BerthImageStatus) status = {0};
    g_autofree char *name = g_strconcat(SHA256, digest, NULL);
    g_autoptr(BerthTemp) temp = berth_temp_new_for("fetch", path, BERTH_TEMP_REPLACE, error);
    return temp != NULL &&
           run(layout, reference, "image", name, berth_temp_fd(temp), watch, &status, error) &&
           berth_temp_commit(temp, error);
}

int berth_image_download_open(const BerthLayout *layout, const BerthImageReference *reference,
                              const BerthWatch *watch, char **ret_path, char **ret_digest,
                              GError **error)
{
    g_autofree char *directory = berth_download_directory(layout, error);
    g_autofree char *digest = directory != NULL ? resolve(layout, reference, watch, error) : NULL;
    if (digest == NULL)
        return -1;
    g_autofree char *name = g_strconcat(digest, SUFFIX, NULL);
    g_autofree char *path = g_build_filename(directory, name, NULL);
    berth_autofd int fd = berth_download_open_kept(path, NULL);
    if (fd < 0 && download(layout, reference, digest, path, watch, error))
        fd = berth_download_open_kept(path, error);
    if (fd < 0)
        return -1;
    *ret_path = g_steal_pointer(&path);
    *ret_digest = g_steal_pointer(&digest);
    return berth_fd_steal(&fd);
}

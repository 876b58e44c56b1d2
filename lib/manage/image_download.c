/* SPDX-License-Identifier: MIT */
#include "image_download.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/file/temp.h"
#include "watch.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

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
    const guint64 *words = &status.report[1];
    return g_strdup_printf("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER
                           "x%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x",
                           words[0], words[1], words[2], words[3]);
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
    g_autofree char *directory = berth_layout_downloads(layout);
    g_autofree char *digest =
        berth_layout_make(directory, error) ? resolve(layout, reference, watch, error) : NULL;
    if (digest == NULL)
        return -1;
    g_autofree char *name = g_strconcat(digest, SUFFIX, NULL);
    g_autofree char *path = g_build_filename(directory, name, NULL);
    berth_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (!download(layout, reference, digest, path, watch, error))
            return -1;
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0) {
        berth_error_set_errno(error, errno, "fetch.open", "%s", path);
        return -1;
    }
    futimens(fd, NULL); /* the last use, for berth_download_prune */
    *ret_path = g_steal_pointer(&path);
    *ret_digest = g_steal_pointer(&digest);
    return berth_fd_steal(&fd);
}

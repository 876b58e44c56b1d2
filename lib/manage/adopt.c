/* SPDX-License-Identifier: MIT */
#include "adopt.h"

#include "base/error.h"
#include "base/fd.h"
#include "claim.h"
#include "cloud_seed.h"
#include "hold.h"
#include "twin.h"
#include "worker.h"

#include <errno.h>
#include <sys/stat.h>

/* Open read-write, to check that the guest can write; nothing is written now. */
static int open_image(const BerthDistro *distro, struct stat *ret_st, GError **error)
{
    const char *path = distro->disk;
    berth_autofd int fd = berth_hold_open(distro, BERTH_HOLD_START, "import.in-place", error);
    if (fd < 0)
        return -1;
    if (fstat(fd, ret_st) < 0) {
        berth_error_set_errno(error, errno, "import.in-place", "%s", path);
        return -1;
    }
    if (S_ISREG(ret_st->st_mode))
        return berth_fd_steal(&fd);
    berth_error_set(error, BERTH_ERROR_INVALID, "import.in-place.not-a-file", NULL,
                    "%s: not a regular file", path);
    return -1;
}

/* Reject an image that is already a distro's disk, under any name: two machines on one disk would
 * destroy it. */
static bool check_unused(BerthRegistry *registry, const char *path, const struct stat *image,
                         GError **error)
{
    g_autoptr(GPtrArray) distros = berth_registry_list(registry, error);
    if (distros == NULL)
        return false;
    for (guint i = 0; i < distros->len; i++) {
        const BerthDistro *distro = distros->pdata[i];
        struct stat st;
        if (stat(distro->disk, &st) < 0 || st.st_dev != image->st_dev || st.st_ino != image->st_ino)
            continue;
        berth_error_set(error, BERTH_ERROR_EXISTS, "import.in-place.registered",
                        "for a second distro make a copy: berth clone",
                        "%s: the disk of %s already", path, distro->name);
        return false;
    }
    return true;
}

static bool check_image(const BerthLayout *layout, const BerthAdoptRequest *request, int fd,
                        GError **error)
{
    g_auto(BerthImageStatus) status = {0};
    if (!berth_worker_run_on_disk(layout, "check", fd, request->path, NULL, NULL, &status, error))
        return false;
    bool needs_recovery = status.report[1] != 0;
    if (needs_recovery && request->notice != NULL)
        request->notice("it was not unmounted; its journal is replayed at the first start",
                        request->user_data);
    return true;
}

bool berth_manage_adopt(const BerthLayout *layout, BerthRegistry *registry,
                        const BerthAdoptRequest *request, GError **error)
{
    if (!berth_distro_check_name(request->name, error))
        return false;
    g_autoptr(BerthDistro) distro = berth_distro_new(request->name);
    distro->disk = g_strdup(request->path);
    distro->keep_disk = true;
    distro->account = g_strdup(request->account);
    distro->account_uid = request->account_uid;
    g_autoptr(BerthClaim) claim =
        berth_claim_name(layout, registry, distro->name, distro->id, BERTH_WORK_IMPORT, error);
    struct stat st;
    berth_autofd int fd = claim != NULL ? open_image(distro, &st, error) : -1;
    if (fd < 0 || !check_unused(registry, request->path, &st, error) ||
        !check_image(layout, request, fd, error) ||
        !berth_cloud_seed_keep(layout, distro->id, request->cloud, error) ||
        !berth_twin_mark(registry, distro, error))
        return false;
    distro->disk_size = (guint64)st.st_size;
    return berth_registry_insert(registry, distro, error);
}

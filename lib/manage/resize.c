/* SPDX-License-Identifier: MIT */
#include "resize.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "disk/file/copy.h"
#include "disk/file/e2tools.h"
#include "disk/file/ext4_state.h"
#include "disk/file/temp.h"
#include "hold.h"
#include "watch.h"
#include "worker.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_SIZE G_GUINT64_CONSTANT(4096)
#define STAT_BLOCK G_GUINT64_CONSTANT(512) /* the unit of st_blocks on every file system */

static bool set_errno(GError **error, const char *step, const BerthDistro *distro)
{
    berth_error_set_errno(error, errno, step, "%s", distro->disk);
    return false;
}

bool berth_manage_check_size(guint64 *size, GError **error)
{
    if (*size >= BERTH_DISK_SIZE_MIN && *size <= (guint64)G_MAXINT64) {
        *size = *size / BLOCK_SIZE * BLOCK_SIZE;
        return true;
    }
    g_autofree char *least = berth_size_format(BERTH_DISK_SIZE_MIN);
    berth_error_set(error, BERTH_ERROR_INVALID,
                    *size < BERTH_DISK_SIZE_MIN ? "resize.too-small" : "resize.too-big", NULL,
                    "a disk is at least %s and at most 8 EiB", least);
    return false;
}

bool berth_manage_disk_size(const BerthDistro *distro, guint64 *ret_size, GError **error)
{
    struct stat st;
    if (stat(distro->disk, &st) < 0)
        return set_errno(error, "resize.open", distro);
    *ret_size = (guint64)st.st_size;
    return true;
}

bool berth_manage_record_size(BerthRegistry *registry, BerthDistro *distro, guint64 size,
                              GError **error)
{
    distro->disk_size = size;
    return berth_registry_set_disk(registry, distro, error);
}

/* Set the file's length; a truncated part must be unused. */
static bool set_length(BerthRegistry *registry, BerthDistro *distro, int fd, guint64 size,
                       GError **error)
{
    if (ftruncate(fd, (off_t)size) < 0 || fsync(fd) < 0)
        return set_errno(error, "resize", distro);
    return berth_manage_record_size(registry, distro, size, error);
}

bool berth_manage_grow(BerthRegistry *registry, BerthDistro *distro, guint64 size, GError **error)
{
    berth_autofd int fd = berth_hold_open(distro, BERTH_HOLD_WRITE, "resize.open", error);
    return fd >= 0 && set_length(registry, distro, fd, size, error);
}

static bool check_minimum(const BerthE2Image *image, guint64 size, GError **error)
{
    guint64 minimum;
    if (!berth_e2tools_minimum(image, &minimum, error))
        return false;
    if (minimum <= size)
        return true;
    /* rounded up, so that the suggested size works */
    guint64 mib = (minimum + (1 << 20) - 1) >> 20;
    g_autofree char *hint = g_strdup_printf(
        "the minimum is %" G_GUINT64_FORMAT "M; delete files in it, or choose a larger size", mib);
    berth_error_set(error, BERTH_ERROR_INVALID, "resize.too-small", hint,
                    "what is on the disk does not fit: it needs %" G_GUINT64_FORMAT " MiB", mib);
    return false;
}

/* Punch holes into the copy. berth-image does it, since the guest controls the metadata to be
 * parsed. */
static bool punch_free(const BerthLayout *layout, int fd, const char *what, const BerthWatch *watch,
                       GError **error)
{
    g_auto(BerthImageStatus) status = {0};
    return berth_worker_run_on_disk(layout, "compact", fd, what, berth_watch_progress,
                                    (gpointer)watch, &status, error);
}

static bool shrink_image(const BerthLayout *layout, const BerthE2Image *image, guint64 size,
                         const BerthWatch *watch, GError **error)
{
    if (!berth_e2tools_check(image, true, error) || !check_minimum(image, size, error) ||
        !berth_e2tools_resize(image, size, error))
        return false;
    if (ftruncate(image->fd, (off_t)size) < 0) {
        berth_error_set_errno(error, errno, "resize", "%s", image->what);
        return false;
    }
    return berth_e2tools_check(image, false, error) &&
           punch_free(layout, image->fd, image->what, watch, error);
}

static bool shrink_copy(const BerthLayout *layout, const BerthDistro *distro, int fd, guint64 size,
                        const BerthWatch *watch, GError **error)
{
    g_autoptr(BerthTemp) temp =
        berth_temp_new_for("resize", distro->disk, BERTH_TEMP_REPLACE, error);
    if (temp == NULL || !berth_copy(fd, berth_temp_fd(temp), "resize", distro->disk,
                                    berth_watch_progress, (gpointer)watch, NULL, error))
        return false;
    const BerthE2Image image = {berth_temp_fd(temp), distro->disk, berth_watch_progress,
                                (gpointer)watch};
    return shrink_image(layout, &image, size, watch, error) && berth_temp_commit(temp, error);
}

bool berth_manage_shrink(const BerthLayout *layout, BerthRegistry *registry, BerthDistro *distro,
                         guint64 size, const BerthWatch *watch, GError **error)
{
    berth_autofd int fd = berth_hold_open(distro, BERTH_HOLD_WRITE, "resize.open", error);
    BerthExt4State state;
    if (fd < 0 || !berth_ext4_state_read(fd, distro->disk, &state, error))
        return false;
    if (size >= state.size) /* the file system has not grown into the file yet */
        return set_length(registry, distro, fd, size, error);
    return shrink_copy(layout, distro, fd, size, watch, error) &&
           berth_manage_record_size(registry, distro, size, error);
}

static bool measure(const BerthDistro *distro, int fd, guint64 *ret_used, GError **error)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return set_errno(error, "compact", distro);
    *ret_used = (guint64)st.st_blocks * STAT_BLOCK;
    return true;
}

bool berth_manage_compact(const BerthLayout *layout, const BerthDistro *distro,
                          const BerthWatch *watch, guint64 *ret_before, guint64 *ret_after,
                          GError **error)
{
    guint64 before;
    berth_autofd int fd = berth_hold_open(distro, BERTH_HOLD_WRITE, "compact.open", error);
    if (fd < 0 || !measure(distro, fd, &before, error) ||
        !punch_free(layout, fd, distro->disk, watch, error) ||
        !measure(distro, fd, ret_after, error))
        return false;
    *ret_before = before;
    return true;
}

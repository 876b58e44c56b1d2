/* SPDX-License-Identifier: MIT */
#include "overlay_private.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* Open the directory @name of @parent, made if it is missing. */
static int open_part(int parent, const char *name)
{
    if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        return -1;
    return openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The root of the upper tree; a new one has the mode and times of the lower root. */
static int open_upper(int dir, int lower)
{
    struct stat info;
    bool is_new = faccessat(dir, "upper", F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    int upper = open_part(dir, "upper");
    if (upper >= 0 && is_new && fstat(lower, &info) == 0)
        overlay_copy_state(lower, &info, upper);
    return upper;
}

static bool open_parts(BerthOverlay *overlay, const char *dir)
{
    if (g_mkdir_with_parents(dir, 0700) < 0)
        return false;
    overlay->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    overlay->upper = overlay->dir < 0 ? -1 : open_upper(overlay->dir, overlay->lower);
    overlay->records = overlay->upper < 0 ? -1 : open_part(overlay->dir, "records");
    overlay->work = overlay->records < 0 ? -1 : open_part(overlay->dir, "work");
    return overlay->work >= 0;
}

BerthOverlay *berth_overlay_open(const char *dir, int lower, GError **error)
{
    g_autoptr(BerthOverlay) overlay = g_new0(BerthOverlay, 1);
    g_mutex_init(&overlay->lock);
    g_rw_lock_init(&overlay->commit);
    overlay->claim = overlay->dir = overlay->upper = overlay->records = overlay->work = -1;
    overlay->lower = lower;
    if (open_parts(overlay, dir))
        return g_steal_pointer(&overlay);
    berth_error_set_errno(error, errno, "overlay.open", "%s", dir);
    return NULL;
}

void berth_overlay_free(BerthOverlay *overlay)
{
    if (overlay == NULL)
        return;
    berth_fd_close(&overlay->claim); /* first: removals take their time */
    overlay_remove_deferred(overlay);
    berth_fd_close(&overlay->dir);
    berth_fd_close(&overlay->upper);
    berth_fd_close(&overlay->records);
    berth_fd_close(&overlay->work);
    g_mutex_clear(&overlay->lock);
    g_rw_lock_clear(&overlay->commit);
    g_free(overlay);
}

bool berth_overlay_claim(BerthOverlay *overlay, bool wait, GError **error)
{
    overlay->claim = berth_fd_reopen(overlay->dir, O_RDONLY | O_DIRECTORY);
    int problem = overlay->claim < 0 ? -overlay->claim : 0;
    while (problem == 0 && flock(overlay->claim, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
        if (errno != EINTR)
            problem = errno;
    if (problem == 0)
        return true;
    berth_fd_close(&overlay->claim);
    if (problem == EWOULDBLOCK)
        berth_error_set(error, BERTH_ERROR_BUSY, "overlay.busy", NULL, "another process uses it");
    else
        berth_error_set_errno(error, problem, "overlay.open", "lock");
    return false;
}

void berth_overlay_release(BerthOverlay *overlay)
{
    berth_fd_close(&overlay->claim);
}

void berth_overlay_lock(BerthOverlay *overlay)
{
    g_rw_lock_reader_lock(&overlay->commit);
}

void berth_overlay_unlock(BerthOverlay *overlay)
{
    g_rw_lock_reader_unlock(&overlay->commit);
}

void berth_overlay_on_copied(BerthOverlay *overlay, BerthOverlayCopied function, gpointer user_data)
{
    overlay->copied = function;
    overlay->copied_data = user_data;
}

int berth_overlay_dir_fd(const BerthOverlay *overlay)
{
    return overlay->dir;
}

int berth_overlay_last_fd(const BerthOverlay *overlay)
{
    return MAX(overlay->claim,
               MAX(MAX(overlay->dir, overlay->upper), MAX(overlay->records, overlay->work)));
}

void berth_overlay_clean(BerthOverlay *overlay)
{
    overlay_remove_all(overlay->dir, "work");
    int work = open_part(overlay->dir, "work");
    if (work < 0)
        return;
    berth_fd_close(&overlay->work);
    overlay->work = work;
}

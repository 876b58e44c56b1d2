/* SPDX-License-Identifier: MIT */
#include "held.h"

#include "memory.h"
#include "reach.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/request.h"
#include "instance/client/runtime.h"
#include "instance/control/hello.h"
#include "park/park_file.h"

#include <string.h>

#define ANSWER_SEC 90 /* the keeper answers sooner, however slow the guest is */

static bool begin(gpointer user_data, GError **error)
{
    BerthHeld *held = user_data;
    const BerthWaiting *waiting = &held->berth->waiting;
    g_autoptr(GError) problem = NULL;
    bool prepared = !held->keeps_memory || berth_request_prepare(held->keeper, waiting, &problem);
    held->begun_usec = g_get_monotonic_time();
    held->begun = prepared && berth_request_hold(held->keeper, waiting, &held->was_awake, &problem);
    if (held->begun)
        return true;
    berth_hello_name_distro(&problem, held->distro->name);
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

static bool wait_for_file(BerthHeld *held, GError **error)
{
    held->written = berth_request_written(held->keeper, &held->berth->waiting, error);
    return held->written;
}

/* A distro that was suspended before stays held until the keeper has written its memory. */
static bool save(const BerthDistro *copy, const char *disk, gpointer user_data, GError **error)
{
    BerthHeld *held = user_data;
    BerthSaved how;
    guint flags =
        (held->for_clone ? BERTH_SAVE_UNSYNCED : 0) | (held->borrows ? BERTH_SAVE_LEND : 0);
    held->copy = copy;
    g_free(held->copy_disk);
    held->copy_disk = g_strdup(disk);
    if (!berth_request_save(held->keeper, disk, flags, &held->berth->waiting, &how, &held->lent,
                            error))
        return false;
    if (how != BERTH_SAVED_PARKED)
        return held->was_awake || wait_for_file(held, error);
    held->written = true;
    return berth_memory_copy(held->distro->disk, disk, "park.copy", error);
}

static bool saved(gpointer user_data, GError **error)
{
    BerthHeld *held = user_data;
    if (!held->written && !wait_for_file(held, error))
        return false;
    return held->for_clone ? berth_memory_bind_clone(held->berth, held->distro, held->copy,
                                                     held->isolated, error)
                           : berth_memory_bind_snapshot(held->copy_disk, error);
}

static bool release(gpointer user_data, GError **error)
{
    BerthHeld *held = user_data;
    held->released = true;
    return berth_request_release(held->keeper, error);
}

/* --- parked, without a keeper: the caller's claim keeps it so ----------------------------------
 */

static bool begin_parked(gpointer user_data, GError **error)
{
    return true;
}

static bool save_parked(const BerthDistro *copy, const char *disk, gpointer user_data,
                        GError **error)
{
    BerthHeld *held = user_data;
    held->copy = copy;
    g_free(held->copy_disk);
    held->copy_disk = g_strdup(disk);
    held->written = true;
    return berth_memory_copy(held->distro->disk, disk, "park.copy", error);
}

static void find_parked(BerthHeld *held)
{
    held->is_parked = held->keeps_memory && berth_park_exists(held->distro->disk);
    held->hold = (BerthDiskHold){begin_parked, save_parked, saved, begin_parked, held};
}

bool berth_held_connect(BerthHeld *held, Berth *berth, const BerthDistro *distro, GError **error)
{
    g_autoptr(GError) problem = NULL;
    held->berth = berth;
    held->distro = distro;
    held->hold =
        (BerthDiskHold){.begin = begin, .saved = saved, .release = release, .user_data = held};
    if (held->keeps_memory)
        held->hold.save = save;
    if (berth_runtime_require_stopped(berth->layout->runtime, distro->id, distro->name, &problem)) {
        find_parked(held);
        return true;
    }
    if (!g_str_equal(berth_error_id(problem), "instance.running")) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    held->keeper = berth_reach_connect(berth, distro, error);
    if (held->keeper >= 0)
        berth_reach_limit_waiting(held->keeper, ANSWER_SEC);
    return held->keeper >= 0;
}

const BerthDiskHold *berth_held_disk(BerthHeld *held)
{
    return held->keeper >= 0 || held->is_parked ? &held->hold : NULL;
}

bool berth_held_has_memory(const BerthHeld *held)
{
    return held->keeps_memory && (held->keeper >= 0 || held->is_parked);
}

bool berth_held_end(BerthHeld *held, gint64 *ret_usec, GError **error)
{
    g_autoptr(GError) problem = NULL;
    *ret_usec = 0;
    if (!held->begun)
        return true;
    if (!held->released)
        release(held, NULL);
    if (!held->was_awake)
        return true;
    bool awake = berth_request_wait(held->keeper, &held->berth->waiting, &problem);
    *ret_usec = g_get_monotonic_time() - held->begun_usec;
    if (awake || berth_runtime_is_gone(problem)) /* another command may stop it then */
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

void berth_held_clear(BerthHeld *held)
{
    berth_fd_close(&held->keeper);
    berth_fd_close(&held->lent);
    g_clear_pointer(&held->copy_disk, g_free);
}

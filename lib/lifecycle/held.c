/* SPDX-License-Identifier: MIT */
#include "held.h"

#include "reach.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/request.h"
#include "instance/client/runtime.h"
#include "instance/control/hello.h"

#include <string.h>

#define ANSWER_SEC 90 /* the keeper answers sooner, however slow the guest is */

static bool begin(gpointer user_data, GError **error)
{
    BerthHeld *held = user_data;
    g_autoptr(GError) problem = NULL;
    held->begun_usec = g_get_monotonic_time();
    held->begun =
        berth_request_hold(held->keeper, &held->berth->waiting, &held->was_awake, &problem);
    if (held->begun)
        return true;
    berth_hello_name_distro(&problem, held->distro->name);
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

static bool release(gpointer user_data, GError **error)
{
    BerthHeld *held = user_data;
    held->released = true;
    return berth_request_release(held->keeper, error);
}

bool berth_held_connect(BerthHeld *held, Berth *berth, const BerthDistro *distro, GError **error)
{
    g_autoptr(GError) problem = NULL;
    held->berth = berth;
    held->distro = distro;
    held->hold = (BerthDiskHold){begin, release, held};
    if (berth_runtime_require_stopped(berth->layout->runtime, distro->id, distro->name, &problem))
        return true;
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
    return held->keeper >= 0 ? &held->hold : NULL;
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
}

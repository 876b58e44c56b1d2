/* SPDX-License-Identifier: MIT
 *
 * The public functions about idle distros, over lib/lifecycle.
 */
#include "berth_idle.h"

#include "berth_convert.h"

#include "lifecycle/handle.h"
#include "lifecycle/idle.h"
#include "manage/autostart.h"

void berth_idle_state_free(BerthIdleState *state)
{
    if (state == NULL)
        return;
    g_free(state->name);
    g_free(state->state);
    g_free(state->idle);
    g_free(state->awake);
    g_free(state->due_name);
    g_free(state->problem);
    g_free(state->checkpoint);
    g_free(state->checkpoint_problem);
    g_free(state);
}

bool berth_keep(Berth *berth, const char *name, guint32 seconds, char **ret_notice, GError **error)
{
    return berth_idle_keep_distro(berth, name, seconds, ret_notice, error);
}

BerthIdleState *berth_idle_state(Berth *berth, const char *name, GError **error)
{
    g_auto(BerthIdleReport) report = {0};
    if (!berth_idle_ask(berth, name, &report, error))
        return NULL;
    BerthIdleState *state = g_new0(BerthIdleState, 1);
    bool has_end = report.kept_usec != BERTH_NOT_FORESEEN;
    state->name = g_steal_pointer(&report.name);
    state->state = g_steal_pointer(&report.state);
    state->idle = g_steal_pointer(&report.idle);
    state->idle_timeout_sec = report.idle_timeout_sec;
    state->awake = g_steal_pointer(&report.awake);
    state->is_idle_known = report.idle_usec != BERTH_NOT_FORESEEN;
    state->idle_usec = state->is_idle_known ? (gint64)report.idle_usec : 0;
    state->is_kept = report.kept_usec != 0;
    state->kept_usec = has_end ? (gint64)report.kept_usec : -1;
    state->due_usec = report.due_usec;
    state->due_name = g_steal_pointer(&report.due_name);
    state->disk_size = report.disk_size;
    state->disk_used = report.disk_used;
    state->use = berth_convert_use(&report.use);
    state->autostart = berth_autostart_is_on(berth->layout, state->name);
    state->problem = g_steal_pointer(&report.problem);
    state->checkpoint = g_steal_pointer(&report.checkpoint);
    state->checkpoint_usec = report.checkpoint_usec;
    state->checkpoint_problem = g_steal_pointer(&report.checkpoint_problem);
    return state;
}

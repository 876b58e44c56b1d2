/* SPDX-License-Identifier: MIT */
#include "summary.h"

#include "list.h"

void berth_summary_clear(BerthSummary *summary)
{
    g_free(summary->default_distro);
    berth_machine_free(summary->machine);
}

bool berth_summary_make(Berth *berth, BerthSummary *ret_summary, GError **error)
{
    g_autoptr(GPtrArray) listings = berth_list_distros(berth, error);
    g_autoptr(BerthDistro) any = berth_distro_new("any");
    BerthMachine *machine = listings != NULL ? berth_handle_machine(berth, any, error) : NULL;
    if (machine == NULL)
        return false;
    ret_summary->machine = machine;
    for (guint i = 0; i < listings->len; i++) {
        const BerthListing *listing = listings->pdata[i];
        ret_summary->distros += listing->disk != NULL;
        if (ret_summary->default_distro == NULL && (listing->is_default || listings->len == 1))
            ret_summary->default_distro = g_strdup(listing->name);
        ret_summary->running +=
            listing->keeper_pid != 0 || g_str_equal(listing->state, "unresponsive");
        ret_summary->disk_used += listing->disk_used + listing->snapshots_used;
        ret_summary->memory_used += listing->memory_used;
    }
    return true;
}

/* SPDX-License-Identifier: MIT
 *
 * The public functions about usage, over lib/lifecycle.
 */
#include "berth_usage.h"

#include "berth_convert.h"

#include "lifecycle/list.h"
#include "lifecycle/usage.h"

BerthDistroUse berth_convert_use(const BerthGuestUse *use)
{
    return (BerthDistroUse){
        .seen_usec = use->seen_usec,
        .memory = use->memory,
        .memory_used = use->memory_used,
        .disk = use->disk,
        .disk_used = use->disk_used,
        .received = use->received,
        .sent = use->sent,
    };
}

void berth_distro_usage_free(BerthDistroUsage *usage)
{
    if (usage == NULL)
        return;
    g_free(usage->name);
    g_free(usage->id);
    g_free(usage->state);
    g_free(usage);
}

static BerthDistroUsage *public_usage(BerthListing *listing)
{
    BerthUsage read = berth_usage_read(listing->keeper_pid);
    BerthDistroUsage *usage = g_new0(BerthDistroUsage, 1);
    usage->name = g_steal_pointer(&listing->name);
    usage->id = g_steal_pointer(&listing->id);
    usage->state = g_steal_pointer(&listing->state);
    /* Without QEMU, memory_used is what a suspended distro keeps, which no process maps. */
    bool kept = listing->status != NULL && listing->status->qemu_pid == 0;
    usage->memory = read.memory + (kept ? listing->memory_used : 0);
    usage->processor_usec = read.processor_usec;
    usage->disk_size = listing->disk_size;
    usage->disk_used = listing->disk_used;
    if (listing->status != NULL)
        usage->use = berth_convert_use(&listing->status->use);
    return usage;
}

GPtrArray *berth_usages(Berth *berth, GError **error)
{
    g_autoptr(GPtrArray) listings = berth_list_distros(berth, error);
    if (listings == NULL)
        return NULL;
    GPtrArray *usages = g_ptr_array_new_with_free_func((GDestroyNotify)berth_distro_usage_free);
    for (guint i = 0; i < listings->len; i++)
        if (((const BerthListing *)listings->pdata[i])->keeper_pid != 0)
            g_ptr_array_add(usages, public_usage(listings->pdata[i]));
    return usages;
}

/* SPDX-License-Identifier: MIT
 *
 * The public functions about distros as a whole, over lib/lifecycle.
 */
#include "berth_distro.h"

#include "lifecycle/distros.h"
#include "lifecycle/handle.h"
#include "lifecycle/list.h"

void berth_info_free(BerthInfo *info)
{
    if (info == NULL)
        return;
    g_free(info->name);
    g_free(info->id);
    g_free(info->address);
    g_free(info->disk);
    g_free(info->state);
    g_free(info->reason);
    g_free(info->template);
    g_free(info->accel);
    g_free(info->kernel);
    g_free(info->init);
    g_free(info->init_status);
    g_free(info->due_name);
    g_free(info->ports);
    g_free(info);
}

bool berth_check_name(const char *name, GError **error)
{
    return berth_distro_check_name(name, error);
}

bool berth_unregister(Berth *berth, const char *name, GError **error)
{
    return berth_distros_unregister(berth, name, error);
}

bool berth_clone(Berth *berth, const char *source, const char *name, BerthWorkFunc progress,
                 gpointer user_data, GError **error)
{
    return berth_distros_clone(berth, source, name, false, progress, user_data, error);
}

bool berth_clone_live(Berth *berth, const char *source, const char *name, BerthWorkFunc progress,
                      gpointer user_data, GError **error)
{
    return berth_distros_clone(berth, source, name, true, progress, user_data, error);
}

bool berth_rename(Berth *berth, const char *name, const char *new_name, GError **error)
{
    return berth_distros_rename(berth, name, new_name, error);
}

bool berth_move(Berth *berth, const char *name, const char *directory, BerthWorkFunc progress,
                gpointer user_data, GError **error)
{
    return berth_distros_move(berth, name, directory, progress, user_data, error);
}

bool berth_resize(Berth *berth, const char *name, guint64 size, BerthWorkFunc progress,
                  gpointer user_data, GError **error)
{
    return berth_distros_resize(berth, name, size, progress, user_data, error);
}

bool berth_compact(Berth *berth, const char *name, BerthWorkFunc progress, gpointer user_data,
                   guint64 *ret_before, guint64 *ret_after, GError **error)
{
    return berth_distros_compact(berth, name, progress, user_data, ret_before, ret_after, error);
}

bool berth_set_default(Berth *berth, const char *name, GError **error)
{
    BerthRegistry *registry = berth_handle_registry(berth, error);
    return registry != NULL && berth_registry_set_default(registry, name, error);
}

char *berth_resolve(Berth *berth, const char *name, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    return distro != NULL ? g_steal_pointer(&distro->name) : NULL;
}

static void set_open_ports(BerthInfo *info, const GPtrArray *forwards)
{
    info->ports = g_new0(guint16, forwards->len);
    for (guint i = 0; i < forwards->len; i++) {
        const BerthForward *forward = forwards->pdata[i];
        if (forward->state == BERTH_FORWARD_OPEN)
            info->ports[info->n_ports++] = forward->host_port;
    }
}

static void set_status(BerthInfo *info, BerthInstanceStatus *status)
{
    info->accel = g_steal_pointer(&status->accel);
    info->kernel = g_steal_pointer(&status->kernel);
    info->init = g_steal_pointer(&status->init);
    info->init_status = g_steal_pointer(&status->init_status);
    info->uptime_usec = status->uptime_usec;
    info->started_usec = g_get_real_time() - status->uptime_usec;
    info->sessions = status->sessions;
    info->qemu_pid = status->qemu_pid;
    info->due_usec = (gint64)status->due_usec;
    info->due_name = *status->due_name != '\0' ? g_steal_pointer(&status->due_name) : NULL;
}

static BerthInfo *public_info(BerthListing *listing)
{
    BerthInfo *info = g_new0(BerthInfo, 1);
    info->name = g_steal_pointer(&listing->name);
    info->id = g_steal_pointer(&listing->id);
    info->slot = listing->slot;
    info->address = berth_distro_address(listing->slot);
    info->is_default = listing->is_default;
    info->autostart = listing->autostart;
    info->disk = g_steal_pointer(&listing->disk);
    info->disk_size = listing->disk_size;
    info->disk_used = listing->disk_used;
    info->snapshots_used = listing->snapshots_used;
    info->created_usec = listing->created_usec;
    info->template = g_steal_pointer(&listing->template);
    info->state = g_steal_pointer(&listing->state);
    info->reason = g_steal_pointer(&listing->reason);
    info->holder_pid = listing->holder_pid;
    info->keeper_pid = listing->keeper_pid;
    info->memory_used = listing->memory_used;
    if (listing->status != NULL)
        set_status(info, listing->status);
    if (listing->forwards != NULL)
        set_open_ports(info, listing->forwards);
    return info;
}

GPtrArray *berth_list(Berth *berth, GError **error)
{
    g_autoptr(GPtrArray) listings = berth_list_distros(berth, error);
    if (listings == NULL)
        return NULL;
    GPtrArray *infos = g_ptr_array_new_with_free_func((GDestroyNotify)berth_info_free);
    for (guint i = 0; i < listings->len; i++)
        g_ptr_array_add(infos, public_info(listings->pdata[i]));
    return infos;
}

char **berth_distro_names(Berth *berth, GError **error)
{
    BerthRegistry *registry = berth_handle_registry(berth, error);
    g_autoptr(GPtrArray) distros = registry != NULL ? berth_registry_list(registry, error) : NULL;
    if (distros == NULL)
        return NULL;
    char **names = g_new0(char *, distros->len + 1);
    for (guint i = 0; i < distros->len; i++)
        names[i] = g_strdup(((const BerthDistro *)distros->pdata[i])->name);
    return names;
}

char *berth_resolve_id(Berth *berth, const char *id, GError **error)
{
    bool braces = id[0] == '{' && g_str_has_suffix(id, "}");
    g_autofree char *bare = braces ? g_strndup(id + 1, strlen(id) - 2) : g_strdup(id);
    g_autofree char *lower = g_ascii_strdown(bare, -1);
    BerthRegistry *registry = berth_handle_registry(berth, error);
    g_autoptr(BerthDistro) distro =
        registry != NULL ? berth_registry_find_by_id(registry, lower, error) : NULL;
    return distro != NULL ? g_strdup(distro->name) : NULL;
}

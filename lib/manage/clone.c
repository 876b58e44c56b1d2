/* SPDX-License-Identifier: MIT */
#include "clone.h"

#include "base/error.h"
#include "base/fd.h"
#include "cloud_seed.h"
#include "disk/file/copy.h"
#include "disk/file/temp.h"
#include "hold.h"
#include "watch.h"

static BerthDistro *make_row(const BerthLayout *layout, const BerthDistro *source, const char *name)
{
    BerthDistro *distro = berth_distro_new(name);
    distro->disk = berth_layout_disk(layout, distro->id);
    distro->disk_size = source->disk_size;
    distro->account = g_strdup(source->account);
    distro->account_uid = source->account_uid;
    distro->oobe = source->oobe;
    distro->own_identity = true;
    return distro;
}

static bool copy_disk(const BerthLayout *layout, const BerthDistro *source,
                      const BerthDistro *distro, const BerthWatch *watch, GError **error)
{
    g_autofree char *directory = berth_layout_distro(layout, distro->id);
    if (!berth_layout_make(directory, error))
        return false;
    berth_autofd int input = berth_hold_open(source, BERTH_HOLD_READ, "clone.open", error);
    g_autoptr(BerthTemp) temp =
        input >= 0 ? berth_temp_new_for("clone", distro->disk, BERTH_TEMP_DEFAULT, error) : NULL;
    return temp != NULL &&
           berth_copy(input, berth_temp_fd(temp), "clone", source->disk, berth_watch_progress,
                      (gpointer)watch, NULL, error) &&
           berth_temp_commit(temp, error);
}

/* Give @distro, whose name and id are claimed, the disk of @source, and register it. */
static bool fill(const BerthLayout *layout, BerthRegistry *registry, const BerthDistro *source,
                 const BerthDistro *distro, const BerthWatch *watch, GError **error)
{
    return copy_disk(layout, source, distro, watch, error) &&
           berth_cloud_seed_copy(layout, source->id, distro->id, error) &&
           berth_registry_insert(registry, distro, error);
}

bool berth_manage_clone(const BerthLayout *layout, BerthRegistry *registry,
                        const BerthDistro *source, const char *name, const BerthWatch *watch,
                        GError **error)
{
    if (!berth_distro_check_name(name, error))
        return false;
    g_autoptr(BerthDistro) distro = make_row(layout, source, name);
    g_autoptr(BerthClaim) claim =
        berth_claim_name(layout, registry, name, distro->id, BERTH_WORK_CLONE, error);
    return claim != NULL && fill(layout, registry, source, distro, watch, error);
}

bool berth_manage_clone_throwaway(const BerthLayout *layout, BerthRegistry *registry,
                                  const BerthDistro *source, const BerthWatch *watch,
                                  BerthClaim **ret_claim, BerthDistro **ret_clone, GError **error)
{
    g_autoptr(BerthDistro) distro = make_row(layout, source, source->name);
    g_free(distro->name);
    distro->name = berth_distro_clone_name(source->name, distro->id);
    distro->template = g_strdup(berth_distro_settings_name(source));
    g_autoptr(BerthClaim) claim =
        berth_claim_name(layout, registry, distro->name, distro->id, BERTH_WORK_RUN, error);
    if (claim == NULL || !fill(layout, registry, source, distro, watch, error))
        return false;
    *ret_claim = g_steal_pointer(&claim);
    *ret_clone = g_steal_pointer(&distro);
    return true;
}

bool berth_manage_rename(const BerthLayout *layout, BerthRegistry *registry,
                         const BerthDistro *distro, const char *name, GError **error)
{
    if (!berth_distro_check_name(name, error))
        return false;
    /* Names that differ only in case share a claim, which is held already. */
    bool same = g_ascii_strcasecmp(distro->name, name) == 0;
    g_autoptr(BerthClaim) claim =
        same ? NULL
             : berth_claim_name(layout, registry, name, distro->id, BERTH_WORK_RENAME, error);
    return (same || claim != NULL) && berth_registry_rename(registry, distro->name, name, error);
}

/* SPDX-License-Identifier: MIT */
#include "clone.h"

#include "base/error.h"
#include "base/fd.h"
#include "cloud_seed.h"
#include "disk/file/copy.h"
#include "disk/file/temp.h"
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

/* The source of a clone, and where the clone goes. */
typedef struct {
    const BerthLayout *layout;
    BerthRegistry *registry;
    const BerthDistro *distro;
    const BerthDiskHold *hold;
    const BerthWatch *watch;
} Source;

static bool copy_disk(const Source *source, const BerthDistro *distro, GError **error)
{
    struct stat before = {0};
    g_autofree char *directory = berth_layout_distro(source->layout, distro->id);
    bool survives = distro->template == NULL; /* a crash of the host */
    BerthTempFlags flags = survives ? BERTH_TEMP_DEFAULT : BERTH_TEMP_CACHE;
    if (!berth_layout_make(directory, error))
        return false;
    g_autoptr(BerthTemp) temp = berth_temp_new_for("clone", distro->disk, flags, error);
    berth_autofd int input = temp != NULL ? berth_hold_begin_copy(source->distro, source->hold,
                                                                  "clone.open", &before, error)
                                          : -1;
    return input >= 0 &&
           berth_copy(input, berth_temp_fd(temp), "clone", source->distro->disk,
                      berth_watch_progress, (gpointer)source->watch, NULL, error) &&
           berth_hold_save(source->hold, distro, distro->disk, error) &&
           berth_hold_end_copy(input, source->distro, source->hold, &before, error) &&
           berth_temp_commit(temp, error);
}

/* Give @distro, whose name and id are claimed, the disk of @source, and register it. */
static bool fill(const Source *source, const BerthDistro *distro, GError **error)
{
    return copy_disk(source, distro, error) &&
           berth_cloud_seed_copy(source->layout, source->distro->id, distro->id, error) &&
           berth_hold_saved(source->hold, error) &&
           berth_registry_insert(source->registry, distro, error);
}

bool berth_manage_clone(const BerthLayout *layout, BerthRegistry *registry,
                        const BerthDistro *source, const char *name, const BerthDiskHold *hold,
                        const BerthWatch *watch, GError **error)
{
    if (!berth_distro_check_name(name, error))
        return false;
    const Source from = {layout, registry, source, hold, watch};
    g_autoptr(BerthDistro) distro = make_row(layout, source, name);
    g_autoptr(BerthClaim) claim =
        berth_claim_name(layout, registry, name, distro->id, BERTH_WORK_CLONE, error);
    return claim != NULL && fill(&from, distro, error);
}

bool berth_manage_clone_throwaway(const BerthLayout *layout, BerthRegistry *registry,
                                  const BerthDistro *source, const BerthDiskHold *hold,
                                  const BerthWatch *watch, BerthClaim **ret_claim,
                                  BerthDistro **ret_clone, GError **error)
{
    const Source from = {layout, registry, source, hold, watch};
    g_autoptr(BerthDistro) distro = make_row(layout, source, source->name);
    g_free(distro->name);
    distro->name = berth_distro_clone_name(source->name, distro->id);
    distro->template = g_strdup(berth_distro_settings_name(source));
    g_autoptr(BerthClaim) claim =
        berth_claim_name(layout, registry, distro->name, distro->id, BERTH_WORK_RUN, error);
    if (claim == NULL || !fill(&from, distro, error))
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

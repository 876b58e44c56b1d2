/* SPDX-License-Identifier: MIT
 *
 * The public functions about shares and the paths they lead to, over lib/lifecycle.
 */
#include "berth_share.h"

#include "lifecycle/shared_paths.h"
#include "lifecycle/shares.h"

bool berth_share_add(Berth *berth, const char *name, const char *directory, const char *target,
                     bool read_only, bool reviewed, guint64 quota, char **ret_notice,
                     GError **error)
{
    BerthShareAccess access = read_only  ? BERTH_SHARE_READ
                              : reviewed ? BERTH_SHARE_REVIEWED
                                         : BERTH_SHARE_WRITE;
    return berth_shares_add(berth, name, directory, target, access, quota, ret_notice, error);
}

bool berth_share_remove(Berth *berth, const char *name, const char *path, char **ret_notice,
                        GError **error)
{
    return berth_shares_remove(berth, name, path, ret_notice, error);
}

bool berth_share_set(Berth *berth, const char *name, const char *path,
                     const BerthShareSetting *setting, char **ret_notice, GError **error)
{
    const BerthShareEdit edit = {
        .read_only = setting->read_only,
        .read_write = setting->read_write,
        .reviewed = setting->reviewed,
        .unreviewed = setting->unreviewed,
        .sets_quota = setting->sets_quota,
        .quota = setting->quota,
    };
    return berth_shares_set(berth, name, path, &edit, ret_notice, error);
}

static void shared_directory_free(BerthSharedDirectory *shared)
{
    g_free(shared->source);
    g_free(shared->target);
    g_free(shared);
}

void berth_share_list_free(BerthShareList *list)
{
    if (list == NULL)
        return;
    g_free(list->distro);
    g_ptr_array_unref(list->directories);
    g_free(list);
}

static BerthShareList *public_list(const BerthDistroShares *shares)
{
    BerthShareList *list = g_new(BerthShareList, 1);
    list->distro = g_strdup(shares->distro);
    list->directories = g_ptr_array_new_with_free_func((GDestroyNotify)shared_directory_free);
    for (guint i = 0; i < shares->shares->len; i++) {
        const BerthShare *share = shares->shares->pdata[i];
        BerthSharedDirectory *shared = g_new(BerthSharedDirectory, 1);
        *shared = (BerthSharedDirectory){.source = g_strdup(share->source),
                                         .target = g_strdup(share->target),
                                         .read_only = share->read_only,
                                         .reviewed = share->overlay != NULL,
                                         .quota = share->quota,
                                         .quota_used = shares->used[i]};
        g_ptr_array_add(list->directories, shared);
    }
    return list;
}

GPtrArray *berth_share_list(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) all = berth_shares_list(berth, name, error);
    if (all == NULL)
        return NULL;
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)berth_share_list_free);
    for (guint i = 0; i < all->len; i++)
        g_ptr_array_add(list, public_list(all->pdata[i]));
    return list;
}

char *berth_path_to_guest(int connection, const char *name, const char *path, GError **error)
{
    return berth_shared_paths_translate(connection, name, PATH_ON_HOST, path, error);
}

char *berth_path_to_host(int connection, const char *name, const char *path, GError **error)
{
    return berth_shared_paths_translate(connection, name, PATH_IN_GUEST, path, error);
}

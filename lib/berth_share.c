/* SPDX-License-Identifier: MIT
 *
 * The public functions about shares and the paths they lead to, over lib/lifecycle.
 */
#include "berth.h"

#include "lifecycle/review.h"
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

static BerthChange *public_change(const BerthShareChange *found)
{
    BerthChange *change = g_new(BerthChange, 1);
    *change = (BerthChange){g_strdup(found->path), berth_change_kind_word(found->kind),
                            found->is_directory, found->is_conflict};
    return change;
}

void berth_change_free(BerthChange *change)
{
    g_free(change->path);
    g_free(change);
}

GPtrArray *berth_changes(Berth *berth, const char *name, const char *path, GError **error)
{
    g_autoptr(GPtrArray) found = berth_review_list(berth, name, path, error);
    if (found == NULL)
        return NULL;
    GPtrArray *changes = g_ptr_array_new_with_free_func((GDestroyNotify)berth_change_free);
    for (guint i = 0; i < found->len; i++)
        g_ptr_array_add(changes, public_change(found->pdata[i]));
    return changes;
}

bool berth_changes_accept(Berth *berth, const char *name, const char *path, bool force,
                          guint *ret_count, GError **error)
{
    return berth_review_settle(berth, name, path, force ? REVIEW_FORCE : REVIEW_ACCEPT, ret_count,
                               error);
}

bool berth_changes_discard(Berth *berth, const char *name, const char *path, guint *ret_count,
                           GError **error)
{
    return berth_review_settle(berth, name, path, REVIEW_DISCARD, ret_count, error);
}

char *berth_path_to_guest(int connection, const char *name, const char *path, GError **error)
{
    return berth_shared_paths_translate(connection, name, PATH_ON_HOST, path, error);
}

char *berth_path_to_host(int connection, const char *name, const char *path, GError **error)
{
    return berth_shared_paths_translate(connection, name, PATH_IN_GUEST, path, error);
}

/* SPDX-License-Identifier: MIT
 *
 * The public functions about changes in reviewed shares, over lib/lifecycle/review.
 */
#include "berth_change.h"

#include "lifecycle/review.h"

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

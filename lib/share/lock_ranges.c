/* SPDX-License-Identifier: MIT */
#include "lock_ranges.h"

#include <unistd.h>

/* Add a range behind the others, which it may continue. */
static void append(GArray *ranges, BerthLockRange range)
{
    BerthLockRange *last =
        ranges->len > 0 ? &g_array_index(ranges, BerthLockRange, ranges->len - 1) : NULL;
    if (range.start > range.end)
        return;
    if (last != NULL && last->type == range.type && last->end == range.start - 1)
        last->end = range.end;
    else
        g_array_append_val(ranges, range);
}

/* The part of @old before @start, and the one after @end. */
static BerthLockRange before(const BerthLockRange *old, gint64 start)
{
    return (BerthLockRange){old->start, MIN(old->end, start - 1), old->type};
}

static BerthLockRange after(const BerthLockRange *old, gint64 end)
{
    if (end == G_MAXINT64)
        return (BerthLockRange){1, 0, old->type};
    return (BerthLockRange){MAX(old->start, end + 1), old->end, old->type};
}

GArray *berth_lock_ranges_set(const GArray *ranges, const BerthLockRange *range)
{
    GArray *made = g_array_new(FALSE, FALSE, sizeof(BerthLockRange));
    for (guint i = 0; i < ranges->len; i++)
        append(made, before(&g_array_index(ranges, BerthLockRange, i), range->start));
    if (range->type != F_UNLCK)
        append(made, *range);
    for (guint i = 0; i < ranges->len; i++)
        append(made, after(&g_array_index(ranges, BerthLockRange, i), range->end));
    return made;
}

BerthLockRange berth_lock_range_of(const struct flock *lock)
{
    gint64 end = lock->l_len == 0 || lock->l_len > G_MAXINT64 - lock->l_start
                     ? G_MAXINT64
                     : lock->l_start + lock->l_len - 1;
    return (BerthLockRange){lock->l_start, end, lock->l_type};
}

struct flock berth_lock_range_flock(const BerthLockRange *range)
{
    return (struct flock){.l_type = (short)range->type,
                          .l_whence = SEEK_SET,
                          .l_start = range->start,
                          .l_len = range->end == G_MAXINT64 ? 0 : range->end - range->start + 1};
}

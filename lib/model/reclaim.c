/* SPDX-License-Identifier: MIT */
#include "reclaim.h"

#include "idle.h"

/* One part in so many of what was given back, read again, shows that it was of use. */
#define USED_PART 4u

void berth_reclaim_begin(BerthReclaim *reclaim)
{
    reclaim->patience = MAX(reclaim->patience, 1u);
    reclaim->quiet = 0;
    reclaim->is_asked = false;
    reclaim->settles = false;
    reclaim->is_sampled = false;
}

static bool is_quiet(const BerthReclaim *reclaim, guint64 data, gint64 processor_usec,
                     gint64 now_usec)
{
    gint64 used = processor_usec - reclaim->processor_usec;
    return reclaim->is_sampled && data == reclaim->data &&
           used * 100 <= (now_usec - reclaim->sampled_usec) * BERTH_IDLE_PROCESSOR_PERCENT;
}

static bool has_grown(const BerthReclaim *reclaim, guint64 held)
{
    return held >= reclaim->kept + BERTH_RECLAIM_GROWTH_MIN;
}

bool berth_reclaim_sample(BerthReclaim *reclaim, guint64 held, guint64 data, gint64 processor_usec,
                          gint64 now_usec)
{
    bool quiet = is_quiet(reclaim, data, processor_usec, now_usec);
    reclaim->quiet = quiet ? reclaim->quiet + 1 : 0;
    reclaim->data = data;
    reclaim->processor_usec = processor_usec;
    reclaim->sampled_usec = now_usec;
    reclaim->is_sampled = true;
    reclaim->kept = reclaim->settles ? held : MIN(reclaim->kept, held);
    reclaim->settles = false;
    if (reclaim->is_asked || reclaim->quiet < reclaim->patience || !has_grown(reclaim, held))
        return false;
    reclaim->was_urgent = false;
    return reclaim->is_asked = true;
}

/* An urgent request takes more than one that was not. */
bool berth_reclaim_press(BerthReclaim *reclaim, guint64 held)
{
    if (reclaim->is_asked || (reclaim->was_urgent && !has_grown(reclaim, held)))
        return false;
    reclaim->was_urgent = true;
    return reclaim->is_asked = true;
}

static guint next_patience(const BerthReclaim *reclaim, guint64 refaulted)
{
    bool was_used = reclaim->taken > 0 && refaulted >= reclaim->taken / USED_PART;
    return was_used ? MIN(reclaim->patience * 2, BERTH_RECLAIM_PATIENCE_MAX)
                    : MAX(reclaim->patience / 2, 1u);
}

void berth_reclaim_answer(BerthReclaim *reclaim, bool busy, guint64 taken, guint64 refaulted)
{
    if (!reclaim->is_asked)
        return;
    reclaim->is_asked = false;
    reclaim->quiet = 0;
    if (busy)
        return;
    reclaim->patience = next_patience(reclaim, refaulted);
    reclaim->taken = taken;
    reclaim->settles = true;
}

/* SPDX-License-Identifier: MIT
 *
 * lock_ranges — the ranges of a file that one owner has locked, as fcntl(2) keeps them: none
 * overlaps another, and neighbours of one type are one. A pure value.
 */
#pragma once

#include <fcntl.h>
#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    gint64 start, end; /* bytes, both within; 0 <= start <= end */
    int type;          /* F_RDLCK or F_WRLCK */
} BerthLockRange;

/* The ranges of @ranges (BerthLockRange, by their starts) after the lock or, with F_UNLCK, unlock
 * of @range. Owned by the caller. */
GArray *berth_lock_ranges_set(const GArray *ranges, const BerthLockRange *range);

/* The range of @lock, whose l_whence is SEEK_SET. */
BerthLockRange berth_lock_range_of(const struct flock *lock);

/* The reverse. */
struct flock berth_lock_range_flock(const BerthLockRange *range);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * reclaim — when a running guest is to give memory back to the host. A pure policy: it reads no
 * clock and does no I/O.
 *
 * The guest is asked once it was quiet for a whole interval between two samples and holds clearly
 * more of the host's memory than it did after the last time; so an idle guest is asked once, and
 * not again. What it gives back is mostly page cache. If it then reads much of that again, the
 * cache was of use: from then on the guest must be quiet for twice as long, up to an hour; that is
 * halved each time it does not. While the host is short of memory, quiet does not count.
 *
 * Sizes are bytes, times microseconds of one monotonic clock.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* How much a guest must hold beyond what it kept the last time. */
#define BERTH_RECLAIM_GROWTH_MIN (G_GUINT64_CONSTANT(32) << 20)

/* Of samples ten seconds apart: an hour. */
#define BERTH_RECLAIM_PATIENCE_MAX 360u

typedef struct {
    guint quiet;     /* intervals between samples without work, in a row */
    guint patience;  /* so many are wanted */
    guint64 kept;    /* held after the last time, or less; 0: it was not asked yet */
    guint64 taken;   /* given back the last time */
    bool is_asked;   /* and has not answered */
    bool settles;    /* the next sample tells what it kept */
    bool was_urgent; /* the last time */
    bool is_sampled; /* the rest is valid */
    guint64 data;
    gint64 processor_usec;
    gint64 sampled_usec;
} BerthReclaim;

/* The guest started, or woke: whatever was asked before is void. What is known of its use of the
 * page cache remains, but at the first call. */
void berth_reclaim_begin(BerthReclaim *reclaim);

/* Take a sample: @held is what the guest has of the host's memory; @data, of its sessions, and
 * @processor_usec count what it has done so far. Whether to ask it now. */
bool berth_reclaim_sample(BerthReclaim *reclaim, guint64 held, guint64 data, gint64 processor_usec,
                          gint64 now_usec);

/* The host is short of memory. Whether to ask the guest now, urgently. */
bool berth_reclaim_press(BerthReclaim *reclaim, guint64 held);

/* The guest's answer (WIRE_RECLAIMED). */
void berth_reclaim_answer(BerthReclaim *reclaim, bool busy, guint64 taken, guint64 refaulted);

G_END_DECLS

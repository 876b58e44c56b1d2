/* SPDX-License-Identifier: MIT
 *
 * pause — a QEMU that stands still because the host refused a write to its disk: why, until when.
 *
 * QEMU stops the guest at a write that fails and keeps the write (werror=stop); told to go on, it
 * repeats it. It is told so as soon as the disk's file system has more room than at the last try,
 * and otherwise after one turn of the timer, two, four, at most BERTH_PAUSE_TURNS_MAX: a quota, or
 * a network's disk that does not answer, cannot be seen from here. The pause is over when a whole
 * turn has passed without another stop. A device may take half a minute to fail, so a try that
 * failed later than that makes the next one count as good only after twice the time.
 *
 * A host that takes a write and then fails to store it (fdatasync says so, once) has lost it. QEMU
 * fails every flush from then on, so this guest can never go on. The kernel tells each descriptor
 * of the file of such a loss; a BerthPause has one of its own.
 *
 * On the thread-default GMainContext; callbacks may come from within every function but _new and
 * _free.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_PAUSE_TURN_MSEC 1000u
#define BERTH_PAUSE_TURNS_MAX 32u

typedef struct BerthPause BerthPause;

typedef struct {
    /* Tell QEMU to go on; its RESUME follows, or it has refused. */
    void (*resume)(gpointer user_data);
    /* It is paused, or for another @reason than before; NULL: it is over. */
    void (*changed)(const char *reason, gpointer user_data);
    /* The host has lost what the guest wrote, for @reason, the host's words. */
    void (*lost)(const char *reason, gpointer user_data);
} BerthPauseOps;

/* @disk is the path of the image, @ops must outlive it. */
BerthPause *berth_pause_new(const char *disk, guint turn_msec, const BerthPauseOps *ops,
                            gpointer user_data);
/* Accepts NULL. */
void berth_pause_free(BerthPause *pause);

/* QEMU says that a write failed, in its @words: the reason of the stop that follows, or came just
 * before. */
void berth_pause_failed(BerthPause *pause, const char *words);
void berth_pause_stopped(BerthPause *pause);
void berth_pause_resumed(BerthPause *pause);

/* Try now. No-op when it is not paused. */
void berth_pause_retry(BerthPause *pause);

/* "the host's disk is full"; NULL when it is not paused. Borrowed until the next call. Accepts
 * NULL. */
const char *berth_pause_reason(const BerthPause *pause);

G_END_DECLS

/* SPDX-License-Identifier: MIT
 *
 * pause — tracks a QEMU that is paused because the host refused a write to its disk, and resumes
 * it.
 *
 * QEMU stops the guest when a write fails and keeps the write (werror=stop); a resume retries it.
 * The pause resumes QEMU as soon as the file system has more free space than at the last retry, and
 * otherwise with exponential back-off: after 1, 2, 4 ... BERTH_PAUSE_TURNS_MAX turns of the timer,
 * since a quota or an unresponsive network disk cannot be observed. The pause ends after a whole
 * turn without another stop. A device may take half a minute to fail: a retry that fails later than
 * a turn doubles the turns after which the next one counts as good.
 *
 * A writeback error (fdatasync reports it once) means that a write the host had accepted is lost.
 * QEMU then fails every flush, so this guest can never resume. The kernel reports such an error
 * once per open file description; a BerthPause has one of its own.
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
    /* Send QEMU "cont"; its RESUME event follows unless it refuses. */
    void (*resume)(gpointer user_data);
    /* Paused, or the @reason changed; NULL: the pause is over. */
    void (*changed)(const char *reason, gpointer user_data);
    /* The host has lost writes of the guest; @reason is strerror()'s. */
    void (*lost)(const char *reason, gpointer user_data);
} BerthPauseOps;

/* @disk is the path of the image, @ops must outlive it. */
BerthPause *berth_pause_new(const char *disk, guint turn_msec, const BerthPauseOps *ops,
                            gpointer user_data);
/* Accepts NULL. */
void berth_pause_free(BerthPause *pause);

/* QEMU reported a failed write, with its @words: the reason of the STOP event that follows or came
 * just before. */
void berth_pause_failed(BerthPause *pause, const char *words);
void berth_pause_stopped(BerthPause *pause);
void berth_pause_resumed(BerthPause *pause);

/* Retry now. No-op when not paused. */
void berth_pause_retry(BerthPause *pause);

/* Such as "the host's disk is full"; NULL when not paused. Borrowed until the next call. Accepts
 * NULL. */
const char *berth_pause_reason(const BerthPause *pause);

G_END_DECLS

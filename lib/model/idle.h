/* SPDX-License-Identifier: MIT
 *
 * idle — when a running distro is idle, and what keeps it awake. A pure policy: it reads no clock
 * and does no I/O.
 *
 * All times are microseconds of one monotonic clock of the caller's. A distro is idle once nothing
 * of BerthAwake was true for the whole idle-timeout. The caller takes samples at least every
 * berth_idle_period; activity that begins and ends between two samples is found by the counters.
 */
#pragma once

#include "settings.h"

G_BEGIN_DECLS

/* Guests below this share of one processor are quiet. Idle ones need 1 % under emulation, and 4 %
 * in their worst second; a program that wakes up ten times a second needs 12 %. */
#define BERTH_IDLE_PROCESSOR_PERCENT 5

/* The longest time between two attempts after failures. */
#define BERTH_IDLE_RETRY_MAX_SEC 3600

/* What keeps a distro awake, or kept it so last. */
typedef enum {
    BERTH_AWAKE_BEGUN,     /* it started or woke */
    BERTH_AWAKE_COMMAND,   /* someone waits for a command, or has a terminal open */
    BERTH_AWAKE_DATA,      /* data of a session, of a mount or of a call of the host's */
    BERTH_AWAKE_PROCESSOR, /* the guest computes */
    BERTH_AWAKE_NETWORK,   /* packets that have data, or whose sender waits (net/activity.h) */
    BERTH_AWAKE_SHARE,     /* the guest reads or writes files of the host's; what it has cached, or
                              what the host changes, is no use */
    BERTH_AWAKE_DUE,       /* a timer of the distro's own is due */
    BERTH_AWAKE_KEPT,      /* berth keep */
    BERTH_AWAKE_RETRY,     /* it could not be suspended: the next attempt is later */
    BERTH_AWAKE_SETTING,   /* idle=never */
} BerthAwake;

/* What the caller counts. The counters may restart: any difference is activity. */
typedef struct {
    guint commands;        /* that someone waits for now */
    guint64 data;          /* frames of sessions so far */
    guint64 packets;       /* of the network that count, so far */
    guint64 requests;      /* for files of the host's, so far */
    gint64 processor_usec; /* of the guest so far; restarts with each sleep */
} BerthIdleSample;

typedef struct {
    BerthIdleAction action;
    gint64 timeout_usec;
    gint64 active_usec; /* the last activity, and which it was */
    BerthAwake activity;
    gint64 kept_usec;     /* until then; G_MAXINT64: until it stops; 0: not */
    gint64 expected_usec; /* the distro does something by itself until then; 0: not */
    guint failures;       /* to suspend, in a row */
    gint64 retry_usec;
    bool is_sampled; /* last and sampled_usec are valid */
    BerthIdleSample last;
    gint64 sampled_usec;
} BerthIdle;

/* A distro that is not kept and has not failed; berth_idle_begin must follow. */
BerthIdle berth_idle_new(BerthIdleAction action, guint timeout_sec);

/* The distro started, or woke: what it did before does not count. */
void berth_idle_begin(BerthIdle *idle, gint64 now_usec);

/* Take a sample. */
void berth_idle_sample(BerthIdle *idle, const BerthIdleSample *sample, gint64 now_usec);

/* Whether the distro did anything between the last sample and @sample, which is to be taken next.
 * A command that only waits does nothing. */
bool berth_idle_is_active(const BerthIdle *idle, const BerthIdleSample *sample, gint64 now_usec);

/* As the part of a sample about @commands, at any time. */
void berth_idle_set_commands(BerthIdle *idle, guint commands, gint64 now_usec);

/* How often a sample is wanted. */
gint64 berth_idle_period(const BerthIdle *idle);

/* When the distro is to sleep if nothing happens until then; G_MAXINT64: that is not known.
 * *@ret_awake, which may be NULL, is what it waits for. */
gint64 berth_idle_deadline(const BerthIdle *idle, BerthAwake *ret_awake);

/* Keep it awake until @until_usec (G_MAXINT64: until it stops); 0 ends that. */
void berth_idle_keep(BerthIdle *idle, gint64 until_usec);

/* The distro does something by itself until @until_usec; 0: not. */
void berth_idle_expect(BerthIdle *idle, gint64 until_usec);

/* It could not be suspended: the next attempt waits twice as long as the last one, at least the
 * timeout and at most BERTH_IDLE_RETRY_MAX_SEC. The second form ends that: it was suspended. */
void berth_idle_fail(BerthIdle *idle, gint64 now_usec);
void berth_idle_succeed(BerthIdle *idle);

/* "begun", "command", ...; and back, false for other words. */
const char *berth_awake_word(BerthAwake awake);
bool berth_awake_from_word(const char *word, BerthAwake *ret_awake);

G_END_DECLS

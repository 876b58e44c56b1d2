/* SPDX-License-Identifier: MIT */
#include "idle.h"

#include <string.h>

#define SAMPLES         6                    /* in a timeout */
#define PERIOD_MIN_USEC (G_USEC_PER_SEC / 2) /* the processor's ticks are 10 ms */
#define PERIOD_MAX_USEC (10 * G_USEC_PER_SEC)
#define DOUBLINGS_MAX   16u

static const char *const words[] = {
    [BERTH_AWAKE_BEGUN] = "begun",     [BERTH_AWAKE_COMMAND] = "command",
    [BERTH_AWAKE_DATA] = "data",       [BERTH_AWAKE_PROCESSOR] = "processor",
    [BERTH_AWAKE_NETWORK] = "network", [BERTH_AWAKE_SHARE] = "share",
    [BERTH_AWAKE_DUE] = "due",         [BERTH_AWAKE_KEPT] = "kept",
    [BERTH_AWAKE_RETRY] = "retry",     [BERTH_AWAKE_SETTING] = "setting",
};

BerthIdle berth_idle_new(BerthIdleAction action, guint timeout_sec)
{
    return (BerthIdle){.action = action, .timeout_usec = (gint64)timeout_sec * G_USEC_PER_SEC};
}

static void record(BerthIdle *idle, BerthAwake activity, gint64 now_usec)
{
    idle->activity = activity;
    idle->active_usec = now_usec;
}

void berth_idle_begin(BerthIdle *idle, gint64 now_usec)
{
    idle->is_sampled = false;
    idle->last.commands = 0;
    record(idle, BERTH_AWAKE_BEGUN, now_usec);
}

static bool computes(const BerthIdle *idle, const BerthIdleSample *sample, gint64 now_usec)
{
    gint64 used = sample->processor_usec - idle->last.processor_usec;
    return used * 100 > (now_usec - idle->sampled_usec) * BERTH_IDLE_PROCESSOR_PERCENT;
}

/* What the distro did since the last sample: the most telling of it. False: nothing. */
static bool compare(const BerthIdle *idle, const BerthIdleSample *sample, gint64 now_usec,
                    BerthAwake *ret_activity)
{
    const struct {
        bool is;
        BerthAwake activity;
    } activities[] = {
        {sample->data != idle->last.data, BERTH_AWAKE_DATA},
        {sample->requests != idle->last.requests, BERTH_AWAKE_SHARE},
        {sample->packets != idle->last.packets, BERTH_AWAKE_NETWORK},
        {computes(idle, sample, now_usec), BERTH_AWAKE_PROCESSOR},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(activities); i++)
        if (activities[i].is) {
            *ret_activity = activities[i].activity;
            return true;
        }
    return false;
}

bool berth_idle_is_active(const BerthIdle *idle, const BerthIdleSample *sample, gint64 now_usec)
{
    BerthAwake activity;
    return idle->is_sampled && compare(idle, sample, now_usec, &activity);
}

void berth_idle_sample(BerthIdle *idle, const BerthIdleSample *sample, gint64 now_usec)
{
    BerthAwake activity;
    if (idle->is_sampled && compare(idle, sample, now_usec, &activity))
        record(idle, activity, now_usec);
    berth_idle_set_commands(idle, sample->commands, now_usec);
    idle->last = *sample;
    idle->sampled_usec = now_usec;
    idle->is_sampled = true;
}

void berth_idle_set_commands(BerthIdle *idle, guint commands, gint64 now_usec)
{
    idle->last.commands = commands;
    if (commands > 0)
        record(idle, BERTH_AWAKE_COMMAND, now_usec);
}

gint64 berth_idle_period(const BerthIdle *idle)
{
    return CLAMP(idle->timeout_usec / SAMPLES, PERIOD_MIN_USEC, PERIOD_MAX_USEC);
}

static void postpone(gint64 until_usec, BerthAwake why, gint64 *deadline_usec, BerthAwake *awake)
{
    if (until_usec <= *deadline_usec)
        return;
    *deadline_usec = until_usec;
    *awake = why;
}

gint64 berth_idle_deadline(const BerthIdle *idle, BerthAwake *ret_awake)
{
    gint64 deadline = idle->active_usec + idle->timeout_usec;
    BerthAwake awake = idle->activity;
    postpone(idle->expected_usec, BERTH_AWAKE_DUE, &deadline, &awake);
    postpone(idle->retry_usec, BERTH_AWAKE_RETRY, &deadline, &awake);
    if (idle->last.commands > 0)
        postpone(G_MAXINT64, BERTH_AWAKE_COMMAND, &deadline, &awake);
    postpone(idle->kept_usec, BERTH_AWAKE_KEPT, &deadline, &awake);
    if (idle->action == BERTH_IDLE_NEVER) {
        deadline = G_MAXINT64;
        awake = BERTH_AWAKE_SETTING;
    }
    if (ret_awake != NULL)
        *ret_awake = awake;
    return deadline;
}

void berth_idle_keep(BerthIdle *idle, gint64 until_usec)
{
    idle->kept_usec = until_usec;
}

void berth_idle_expect(BerthIdle *idle, gint64 until_usec)
{
    idle->expected_usec = until_usec;
}

void berth_idle_fail(BerthIdle *idle, gint64 now_usec)
{
    const gint64 most = (gint64)BERTH_IDLE_RETRY_MAX_SEC * G_USEC_PER_SEC;
    guint doublings = MIN(idle->failures, DOUBLINGS_MAX);
    gint64 wait = MIN(idle->timeout_usec, most);
    while (doublings-- > 0 && wait < most)
        wait *= 2;
    idle->failures++;
    idle->retry_usec = now_usec + MIN(wait, most);
}

void berth_idle_succeed(BerthIdle *idle)
{
    idle->failures = 0;
    idle->retry_usec = 0;
}

const char *berth_awake_word(BerthAwake awake)
{
    return words[awake];
}

bool berth_awake_from_word(const char *word, BerthAwake *ret_awake)
{
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (strcmp(words[i], word) == 0) {
            *ret_awake = (BerthAwake)i;
            return true;
        }
    return false;
}

/* SPDX-License-Identifier: MIT */
#include "status_distro.h"

#include "base/size.h"
#include "guest_use.h"
#include "json.h"
#include "print.h"

#include <stdio.h>

static const struct {
    const char *word;
    const char *text;
} reasons[] = {
    {"begun", "it started or woke"},
    {"command", "someone waits for a command, or has a terminal open"},
    {"data", "a session, a mount or a connection has data"},
    {"processor", "it computes"},
    {"network", "it has network traffic"},
    {"share", "it uses files of the host"},
    {"due", "a timer of its own is due"},
    {"kept", "berth keep"},
    {"retry", "it could not be suspended, which is tried again"},
    {"setting", "the setting idle is never"},
};

static const char *reason_text(const char *word)
{
    for (gsize i = 0; i < G_N_ELEMENTS(reasons); i++)
        if (g_str_equal(reasons[i].word, word))
            return reasons[i].text;
    return word;
}

/* "suspends after 1m without use": how berth treats the distro once it is idle. */
static char *plan_text(const BerthIdleState *state)
{
    g_autofree char *timeout = print_duration((gint64)state->idle_timeout_sec * G_USEC_PER_SEC);
    g_autofree char *left = print_duration(state->idle_usec);
    if (g_str_equal(state->idle, "never"))
        return g_strdup("never sleeps");
    const char *verb = g_str_equal(state->idle, "stop") ? "stops" : "suspends";
    return state->is_idle_known ? g_strdup_printf("%s after %s without use, in %s at the earliest",
                                                  verb, timeout, left)
                                : g_strdup_printf("%s after %s without use", verb, timeout);
}

/* As the clock of this host shows it; the date only if that is not today's. */
static char *clock_text(gint64 realtime_usec)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autoptr(GDateTime) at = g_date_time_new_from_unix_local(realtime_usec / G_USEC_PER_SEC);
    if (at == NULL)
        return g_strdup("?");
    bool is_today = g_date_time_get_year(now) == g_date_time_get_year(at) &&
                    g_date_time_get_day_of_year(now) == g_date_time_get_day_of_year(at);
    return g_date_time_format(at, is_today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S");
}

static void print_due(const BerthIdleState *state)
{
    g_autofree char *time = clock_text(state->due_usec);
    const char *name = state->due_name != NULL ? state->due_name : "a timer";
    if (state->awake == NULL) /* suspended, or parked */
        printf("Wakes:          at %s for %s\n", time, name);
    else
        printf("Due:            %s at %s\n", name, time);
}

static void print_checkpoints(const BerthIdleState *state)
{
    g_autofree char *last =
        state->checkpoint_usec != 0 ? clock_text(state->checkpoint_usec) : g_strdup("none yet");
    if (state->checkpoint != NULL)
        printf("Checkpoints:    %s; the last one: %s\n", state->checkpoint, last);
    if (state->checkpoint_problem != NULL)
        printf("Problem:        no automatic snapshot: %s\n", state->checkpoint_problem);
}

/* Print what the guest reports of its memory and disk. A suspended guest reports nothing: then the
 * figures are those of its last report, with its time. */
static void print_use(const BerthIdleState *state, const char *disk_taken, const char *disk_size)
{
    const BerthDistroUse *use = &state->use;
    g_autofree char *disk = berth_size_format(use->disk_used);
    g_autofree char *memory_used = berth_size_format(use->memory_used);
    g_autofree char *memory = berth_size_format(use->memory);
    g_autofree char *received = berth_size_format(use->received);
    g_autofree char *sent = berth_size_format(use->sent);
    g_autofree char *clock = clock_text(use->seen_usec);
    g_autofree char *as_of =
        state->awake == NULL ? g_strdup_printf(", as of %s", clock) : g_strdup("");
    printf("Disk:           %s on this host, %s used of %s in the distro%s\n", disk_taken, disk,
           disk_size, as_of);
    printf("Memory:         %s used of %s in the distro%s\n", memory_used, memory, as_of);
    printf("Network:        %s received, %s sent\n", received, sent);
}

static void print_text(const BerthIdleState *state)
{
    g_autofree char *plan = plan_text(state);
    g_autofree char *kept = print_duration(state->kept_usec);
    printf("Distro:         %s, %s\n", state->name, state->state);
    if (state->awake != NULL)
        printf("Awake:          %s\n", reason_text(state->awake));
    printf("Idle:           %s\n", plan);
    if (state->is_kept)
        printf("Kept:           %s\n", state->kept_usec < 0 ? "until it stops" : kept);
    if (state->due_usec != 0)
        print_due(state);
    g_autofree char *used = berth_size_format(state->disk_used);
    g_autofree char *size = berth_size_format(state->disk_size);
    if (state->use.seen_usec == 0)
        printf("Disk:           %s on this host, %s in the distro\n", used, size);
    else
        print_use(state, used, size);
    if (state->autostart)
        printf("Autostart:      on\n");
    if (state->problem != NULL)
        printf("Problem:        it could not be suspended: %s\n", state->problem);
    print_checkpoints(state);
}

static void print_json(const BerthIdleState *state)
{
    Json *json = json_begin(false);
    json_add_string(json, "name", state->name);
    json_add_string(json, "state", state->state);
    json_add_string(json, "idle", state->idle);
    json_add_number(json, "idle_timeout", state->idle_timeout_sec);
    json_add_string(json, "awake", state->awake);
    json_add_known(json, "idle_in_usec", state->is_idle_known, (guint64)state->idle_usec);
    json_add_bool(json, "kept", state->is_kept);
    json_add_known(json, "kept_usec", state->is_kept && state->kept_usec >= 0,
                   (guint64)state->kept_usec);
    json_add_time(json, "due", state->due_usec);
    json_add_string(json, "due_for", state->due_name);
    json_add_string(json, "problem", state->problem);
    json_add_string(json, "checkpoint", state->checkpoint);
    json_add_time(json, "checkpoint_last", state->checkpoint_usec);
    json_add_string(json, "checkpoint_problem", state->checkpoint_problem);
    json_add_number(json, "disk_size", state->disk_size);
    json_add_number(json, "disk_used", state->disk_used);
    guest_use_json(json, &state->use);
    json_add_bool(json, "autostart", state->autostart);
    json_print(json);
}

void status_distro_print(const BerthIdleState *state, bool json)
{
    (json ? print_json : print_text)(state);
}

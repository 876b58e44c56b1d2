/* SPDX-License-Identifier: MIT */
#include "checkpoint.h"

#include "base/duration.h"
#include "base/error.h"
#include "base/size.h"

#include <string.h>

#define EXAMPLE "write it as in: every 30min keep 5 within 20G; or off"

/* --- the setting ------------------------------------------------------------------------------ */

static bool parse_every(const char *text, BerthCheckpointPlan *plan)
{
    bool has_unit = text[strspn(text, "0123456789")] != '\0';
    return has_unit && berth_duration_parse(text, &plan->every_sec) && plan->every_sec > 0 &&
           plan->every_sec <= BERTH_CHECKPOINT_EVERY_MAX;
}

static bool parse_keep(const char *text, BerthCheckpointPlan *plan)
{
    guint64 number;
    if (!g_ascii_string_to_unsigned(text, 10, 1, BERTH_CHECKPOINT_KEEP_MAX, &number, NULL))
        return false;
    plan->keep = (guint)number;
    return true;
}

static bool parse_within(const char *text, BerthCheckpointPlan *plan)
{
    return berth_size_parse(text, &plan->within) && plan->within >= BERTH_CHECKPOINT_WITHIN_MIN;
}

/* In the order in which they may follow each other. */
static const struct {
    const char *word;
    bool (*parse)(const char *text, BerthCheckpointPlan *plan);
    const char *wanted;
} parts[] = {
    {"every", parse_every, "a time with its unit, from 1s to 366d"},
    {"keep", parse_keep, "a number from 1 to 1000"},
    {"within", parse_within, "a size of at least 1M"},
};

static bool set_syntax(GError **error, const char *word, const char *reason)
{
    g_autofree char *shown = g_strescape(word, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "checkpoint.syntax", EXAMPLE, "\"%.80s\" %s", shown,
                    reason);
    return false;
}

/* The blanks between words are any number of spaces and tabs. */
static char **split(const char *text)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_auto(GStrv) words = g_strsplit_set(text, " \t", -1);
    for (char **word = words; *word != NULL; word++)
        if (**word != '\0')
            g_strv_builder_add(builder, *word);
    return g_strv_builder_end(builder);
}

/* Parse the part that begins with @word; *@at is the first that may do so. */
static bool parse_part(const char *word, const char *value, gsize *at, BerthCheckpointPlan *plan,
                       GError **error)
{
    while (*at < G_N_ELEMENTS(parts) && strcmp(parts[*at].word, word) != 0 && *at > 0)
        (*at)++;
    if (*at >= G_N_ELEMENTS(parts) || strcmp(parts[*at].word, word) != 0)
        return set_syntax(error, word, *at == 0 ? "is not \"every\"" : "is not expected here");
    g_autofree char *wanted = g_strdup_printf("must be followed by %s", parts[*at].wanted);
    bool ok = value != NULL && parts[*at].parse(value, plan);
    (*at)++;
    return ok || set_syntax(error, word, wanted);
}

bool berth_checkpoint_parse(const char *text, BerthCheckpointPlan *ret_plan, GError **error)
{
    BerthCheckpointPlan plan = {.keep = BERTH_CHECKPOINT_KEEP};
    g_auto(GStrv) words = split(text != NULL ? text : "");
    guint count = g_strv_length(words);
    gsize at = 0;
    bool off = count == 1 && strcmp(words[0], "off") == 0;
    for (guint i = 0; i < count && !off; i += 2)
        if (!parse_part(words[i], words[i + 1], &at, &plan, error))
            return false;
    *ret_plan = plan;
    return true;
}

/* --- when ------------------------------------------------------------------------------------- */

void berth_checkpoint_use(BerthCheckpoint *checkpoint)
{
    checkpoint->is_used = true;
}

bool berth_checkpoint_is_due(const BerthCheckpoint *checkpoint, gint64 now_usec)
{
    return checkpoint->plan.every_sec != 0 && checkpoint->is_used &&
           now_usec >= checkpoint->next_usec;
}

void berth_checkpoint_begin(BerthCheckpoint *checkpoint)
{
    checkpoint->is_used = false;
}

void berth_checkpoint_taken(BerthCheckpoint *checkpoint, gint64 pause_usec, gint64 now_usec)
{
    gint64 every = (gint64)checkpoint->plan.every_sec * G_USEC_PER_SEC;
    checkpoint->failures = 0;
    checkpoint->next_usec = now_usec + MAX(every, pause_usec * BERTH_CHECKPOINT_PAUSE_RATIO);
}

void berth_checkpoint_early(BerthCheckpoint *checkpoint, guint sec, gint64 now_usec)
{
    checkpoint->is_used = true;
    checkpoint->next_usec = now_usec + (gint64)sec * G_USEC_PER_SEC;
}

void berth_checkpoint_fail(BerthCheckpoint *checkpoint, gint64 now_usec)
{
    guint64 wait = checkpoint->plan.every_sec;
    guint64 most = MAX(wait, BERTH_CHECKPOINT_RETRY_MAX_SEC);
    for (guint i = 0; i < checkpoint->failures && wait < most; i++)
        wait *= 2;
    checkpoint->failures++;
    checkpoint->is_used = true;
    checkpoint->next_usec = now_usec + (gint64)MIN(wait, most) * G_USEC_PER_SEC;
}

gint64 berth_checkpoint_left(const BerthCheckpointPlan *plan, const GPtrArray *snapshots,
                             gint64 now_usec)
{
    gint64 every = (gint64)plan->every_sec * G_USEC_PER_SEC;
    gint64 left = 0;
    for (guint i = 0; i < snapshots->len; i++) {
        const BerthSnapshot *snapshot = snapshots->pdata[i];
        bool counts = !berth_snapshot_is_replaced(snapshot) && snapshot->taken_usec <= now_usec;
        if (counts && snapshot->taken_usec > now_usec - every)
            left = MAX(left, snapshot->taken_usec + every - now_usec);
    }
    return left;
}

/* --- which go --------------------------------------------------------------------------------- */

GPtrArray *berth_checkpoint_excess(const BerthCheckpointPlan *plan, const GPtrArray *snapshots,
                                   const GArray *sizes)
{
    guint count = 0;
    guint64 sum = 0;
    GPtrArray *tags = g_ptr_array_new();
    for (guint i = snapshots->len; i > 0; i--) {
        const BerthSnapshot *snapshot = snapshots->pdata[i - 1];
        if (!berth_snapshot_is_checkpoint(snapshot))
            continue;
        guint64 size = g_array_index(sizes, guint64, i - 1);
        sum = size > G_MAXUINT64 - sum ? G_MAXUINT64 : sum + size;
        count++;
        if (count > 1 && (count > plan->keep || (plan->within != 0 && sum > plan->within)))
            g_ptr_array_insert(tags, 0, snapshot->tag);
    }
    return tags;
}

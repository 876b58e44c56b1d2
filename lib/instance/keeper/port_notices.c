/* SPDX-License-Identifier: MIT */
#include "port_notices.h"

/* What is known of a forward. */
typedef struct {
    BerthForwardState state; /* that was told, or would have been */
    gint64 seen_usec;        /* the last time */
    bool present;            /* it was there when looked at last */
} Known;

#define LINES_MAX 5u /* at a time */

struct BerthAnnounce {
    char *name;
    gint64 up_usec;    /* -1: it is not */
    GHashTable *known; /* rule, as text -> Known*, both owned */
};

BerthAnnounce *berth_announce_new(const char *name)
{
    BerthAnnounce *announce = g_new0(BerthAnnounce, 1);
    announce->name = g_strdup(name);
    announce->up_usec = -1;
    announce->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return announce;
}

void berth_announce_free(BerthAnnounce *announce)
{
    if (announce == NULL)
        return;
    g_hash_table_unref(announce->known);
    g_free(announce->name);
    g_free(announce);
}

void berth_announce_set_up(BerthAnnounce *announce, gint64 now_usec)
{
    announce->up_usec = now_usec;
}

/* A guest's words must not reach a terminal as control codes. */
static char *make_line(const BerthAnnounce *announce, const BerthForward *forward)
{
    bool udp = forward->rule.protocol == BERTH_UDP;
    g_autoptr(GString) line = g_string_new(NULL);
    g_string_printf(line, "%sport %u of %s", udp ? "UDP " : "", forward->rule.guest_port,
                    announce->name);
    if (forward->owner != NULL && forward->owner[0] != '\0')
        g_string_append_printf(line, " (%.32s)", forward->owner);
    if (forward->state == BERTH_FORWARD_OPEN)
        g_string_append_printf(line, " is on %slocalhost:%u", udp ? "" : "http://",
                               forward->host_port);
    else
        g_string_append_printf(line, " is not on localhost: %s", forward->reason);
    for (gsize i = 0; i < line->len; i++)
        if (g_ascii_iscntrl(line->str[i]))
            line->str[i] = '?';
    return g_utf8_make_valid(line->str, -1);
}

/* Note that @forward is there. Whether that is news. */
static bool is_news(BerthAnnounce *announce, const BerthForward *forward, gint64 now_usec)
{
    bool decided = forward->state == BERTH_FORWARD_OPEN || forward->state == BERTH_FORWARD_BLOCKED;
    g_autofree char *key = berth_rule_format(&forward->rule);
    Known *known = g_hash_table_lookup(announce->known, key);
    if (forward->origin != BERTH_ORIGIN_LISTENER || (!decided && known == NULL))
        return false;
    if (known == NULL) {
        known = g_new0(Known, 1);
        g_hash_table_insert(announce->known, g_steal_pointer(&key), known);
    }
    bool news = decided && known->state != forward->state;
    if (decided)
        known->state = forward->state;
    known->present = true;
    known->seen_usec = now_usec;
    return news;
}

/* What was there until now has been seen now; what was not for a while is forgotten. */
static void age(BerthAnnounce *announce, gint64 now_usec)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, announce->known);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Known *known = value;
        if (known->present)
            known->seen_usec = now_usec;
        known->present = false;
        if (now_usec - known->seen_usec > BERTH_ANNOUNCE_FLAP_USEC)
            g_hash_table_iter_remove(&iter);
    }
}

char **berth_announce_take(BerthAnnounce *announce, const GPtrArray *forwards, gint64 now_usec)
{
    GPtrArray *lines = g_ptr_array_new();
    guint more = 0;
    bool settled =
        announce->up_usec >= 0 && now_usec - announce->up_usec >= BERTH_ANNOUNCE_SETTLE_USEC;
    age(announce, now_usec);
    for (guint i = 0; i < forwards->len; i++) {
        const BerthForward *forward = g_ptr_array_index(forwards, i);
        if (!is_news(announce, forward, now_usec) || !settled)
            continue;
        if (lines->len < LINES_MAX)
            g_ptr_array_add(lines, make_line(announce, forward));
        else
            more++;
    }
    if (more > 0)
        g_ptr_array_add(lines, g_strdup_printf("and %u more ports: \"berth ports %s\" lists them",
                                               more, announce->name));
    g_ptr_array_add(lines, NULL);
    return (char **)g_ptr_array_free(lines, FALSE);
}

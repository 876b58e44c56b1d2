/* SPDX-License-Identifier: MIT */
#include "port_notices.h"

/* The last state of a forward that was reported, or suppressed. */
typedef struct {
    BerthForwardState state;
    gint64 seen_usec; /* last time the list had it */
    bool present;     /* in the last list */
} Known;

#define LINES_MAX 5u /* per update */

struct BerthPortNotices {
    char *name;
    gint64 up_usec;    /* -1: the guest is not up */
    GHashTable *known; /* rule, as text -> Known*, both owned */
};

BerthPortNotices *berth_port_notices_new(const char *name)
{
    BerthPortNotices *notices = g_new0(BerthPortNotices, 1);
    notices->name = g_strdup(name);
    notices->up_usec = -1;
    notices->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return notices;
}

void berth_port_notices_free(BerthPortNotices *notices)
{
    if (notices == NULL)
        return;
    g_hash_table_unref(notices->known);
    g_free(notices->name);
    g_free(notices);
}

void berth_port_notices_set_up(BerthPortNotices *notices, gint64 now_usec)
{
    notices->up_usec = now_usec;
}

/* Replaces control characters: the owner's name comes from the guest and the line goes to a
 * terminal. */
static char *make_line(const BerthPortNotices *notices, const BerthForward *forward)
{
    bool udp = forward->rule.protocol == BERTH_UDP;
    g_autoptr(GString) line = g_string_new(NULL);
    g_string_printf(line, "%sport %u of %s", udp ? "UDP " : "", forward->rule.guest_port,
                    notices->name);
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

/* Record that @forward exists. True when its state deserves a notice. */
static bool is_news(BerthPortNotices *notices, const BerthForward *forward, gint64 now_usec)
{
    bool decided = forward->state == BERTH_FORWARD_OPEN || forward->state == BERTH_FORWARD_BLOCKED;
    g_autofree char *key = berth_rule_format(&forward->rule);
    Known *known = g_hash_table_lookup(notices->known, key);
    if (forward->origin != BERTH_ORIGIN_LISTENER || (!decided && known == NULL))
        return false;
    if (known == NULL) {
        known = g_new0(Known, 1);
        g_hash_table_insert(notices->known, g_steal_pointer(&key), known);
    }
    bool news = decided && known->state != forward->state;
    if (decided)
        known->state = forward->state;
    known->present = true;
    known->seen_usec = now_usec;
    return news;
}

/* Update the last-seen times, and forget forwards that have been gone for the flap interval. */
static void age(BerthPortNotices *notices, gint64 now_usec)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, notices->known);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Known *known = value;
        if (known->present)
            known->seen_usec = now_usec;
        known->present = false;
        if (now_usec - known->seen_usec > BERTH_PORT_NOTICES_FLAP_USEC)
            g_hash_table_iter_remove(&iter);
    }
}

char **berth_port_notices_update(BerthPortNotices *notices, const GPtrArray *forwards,
                                 gint64 now_usec)
{
    GPtrArray *lines = g_ptr_array_new();
    guint more = 0;
    bool settled =
        notices->up_usec >= 0 && now_usec - notices->up_usec >= BERTH_PORT_NOTICES_SETTLE_USEC;
    age(notices, now_usec);
    for (guint i = 0; i < forwards->len; i++) {
        const BerthForward *forward = g_ptr_array_index(forwards, i);
        if (!is_news(notices, forward, now_usec) || !settled)
            continue;
        if (lines->len < LINES_MAX)
            g_ptr_array_add(lines, make_line(notices, forward));
        else
            more++;
    }
    if (more > 0)
        g_ptr_array_add(lines, g_strdup_printf("and %u more ports: \"berth ports %s\" lists them",
                                               more, notices->name));
    g_ptr_array_add(lines, NULL);
    return (char **)g_ptr_array_free(lines, FALSE);
}

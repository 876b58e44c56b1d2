/* SPDX-License-Identifier: MIT */
#include "forward.h"

#include "base/table.h"

#include <string.h>

static const char *const state_words[] = {
    [BERTH_FORWARD_WANTED] = "wanted",
    [BERTH_FORWARD_OPEN] = "open",
    [BERTH_FORWARD_BLOCKED] = "blocked",
    [BERTH_FORWARD_IGNORED] = "ignored",
};

const char *berth_forward_state_word(BerthForwardState state)
{
    return berth_table_to_string(state_words, state);
}

void berth_listener_free(BerthListener *listener)
{
    if (listener == NULL)
        return;
    g_free(listener->owner);
    g_free(listener);
}

void berth_forward_free(BerthForward *forward)
{
    if (forward == NULL)
        return;
    g_free(forward->owner);
    g_free(forward->reason);
    g_free(forward);
}

/* How a listener can be reached, the best first. */
typedef enum { REACH_ETHERNET, REACH_LOOPBACK, REACH_LOOPBACK_V6, REACH_OTHER, REACH_UDP } Reach;

static const char *const reach_reasons[] = {
    [REACH_LOOPBACK_V6] = "listens on ::1 only, which cannot be forwarded yet",
    [REACH_OTHER] = "listens on another address of the guest only",
    [REACH_UDP] = "UDP is not forwarded yet",
};

static const guint8 any[16];
static const guint8 ethernet_v4[4] = {10, 0, 2, 15};
static const guint8 loopback_v6[16] = {[15] = 1};
static const guint8 mapped_v6[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291, 2.5.5.2 */

static Reach reach_v4(const guint8 *address)
{
    if (memcmp(address, any, 4) == 0 || memcmp(address, ethernet_v4, 4) == 0)
        return REACH_ETHERNET;
    return address[0] == 127 && address[1] == 0 && address[2] == 0 && address[3] == 1
               ? REACH_LOOPBACK
               : REACH_OTHER;
}

static Reach reach(const BerthListener *listener)
{
    if (listener->protocol != BERTH_TCP)
        return REACH_UDP;
    if (listener->family == 4)
        return reach_v4(listener->address);
    if (memcmp(listener->address, mapped_v6, sizeof(mapped_v6)) == 0)
        return reach_v4(listener->address + sizeof(mapped_v6));
    if (memcmp(listener->address, any, sizeof(any)) == 0)
        return REACH_ETHERNET; /* dual-stack, as nearly every such socket is */
    return memcmp(listener->address, loopback_v6, sizeof(loopback_v6)) == 0 ? REACH_LOOPBACK_V6
                                                                            : REACH_OTHER;
}

static gint compare_forwards(gconstpointer left, gconstpointer right)
{
    const BerthForward *a = *(BerthForward *const *)left;
    const BerthForward *b = *(BerthForward *const *)right;
    if (a->port != b->port)
        return (gint)a->port - (gint)b->port;
    return (gint)a->protocol - (gint)b->protocol;
}

static const BerthListener *best_listener(const GPtrArray *listeners, const BerthListener *like)
{
    const BerthListener *best = like;
    for (guint i = 0; i < listeners->len; i++) {
        const BerthListener *other = g_ptr_array_index(listeners, i);
        if (other->protocol == like->protocol && other->port == like->port &&
            reach(other) < reach(best))
            best = other;
    }
    return best;
}

GPtrArray *berth_forward_plan(const GPtrArray *listeners)
{
    GPtrArray *plan = g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < listeners->len; i++) {
        const BerthListener *listener = g_ptr_array_index(listeners, i);
        guint key = (guint)listener->protocol << 16 | listener->port;
        if (!g_hash_table_add(seen, GUINT_TO_POINTER(key)))
            continue;

        const BerthListener *best = best_listener(listeners, listener);
        Reach how = reach(best);
        BerthForward *forward = g_new0(BerthForward, 1);
        forward->protocol = best->protocol;
        forward->port = best->port;
        forward->loopback = how == REACH_LOOPBACK;
        forward->state = how <= REACH_LOOPBACK ? BERTH_FORWARD_WANTED : BERTH_FORWARD_IGNORED;
        forward->owner = g_strdup(best->owner);
        forward->reason = g_strdup(reach_reasons[how]);
        g_ptr_array_add(plan, forward);
    }
    g_ptr_array_sort(plan, compare_forwards);
    return plan;
}

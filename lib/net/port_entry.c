/* SPDX-License-Identifier: MIT */
#include "port_entry.h"

void berth_port_entry_free(gpointer data)
{
    BerthPortEntry *entry = data;
    for (guint i = 0; i < BERTH_LEGS; i++)
        g_free(entry->slots[i].why);
    berth_forward_free(entry->forward);
    g_free(entry->note);
    g_free(entry->privileged);
    g_free(entry);
}

static char *leg_address(const BerthLeg *leg)
{
    return berth_rule_address_text(leg->family, leg->host);
}

static void append_part(GString *text, const char *part)
{
    g_string_append_printf(text, "%s%s", text->len > 0 ? "; " : "", part);
}

/* Omits the distro's own address when localhost's IPv4 leg is blocked too. */
static char *reason_of_open(const BerthPortEntry *entry)
{
    const BerthForward *forward = entry->forward;
    g_autoptr(GString) text = g_string_new(NULL);
    if (entry->privileged != NULL)
        g_string_append_printf(text, "it is port %u of this host: %s", forward->host_port,
                               entry->privileged);
    if (entry->note != NULL)
        append_part(text, entry->note);
    for (guint i = 0; i < BERTH_LEGS; i++) {
        const BerthLeg *leg = &forward->legs[i];
        if (leg->state != BERTH_FORWARD_BLOCKED ||
            (i == BERTH_LEG_OWN && forward->legs[BERTH_LEG_V4].state == BERTH_FORWARD_BLOCKED))
            continue;
        g_autofree char *address = leg_address(leg);
        g_autofree char *part = g_strdup_printf("not on %s: %s", address, entry->slots[i].why);
        append_part(text, part);
    }
    return text->len > 0 ? g_strdup(text->str) : NULL;
}

static char *reason_of_blocked(const BerthPortEntry *entry)
{
    const BerthLeg *own = &entry->forward->legs[BERTH_LEG_OWN];
    g_autoptr(GString) text = g_string_new(entry->privileged);
    const char *why = NULL;
    for (guint i = 0; i < BERTH_LEGS && why == NULL; i++)
        why = entry->slots[i].why;
    if (why == NULL)
        why = entry->note != NULL ? entry->note : "the host has no address for it";
    append_part(text, why);
    if (own->state == BERTH_FORWARD_OPEN) {
        g_autofree char *address = leg_address(own);
        g_autofree char *part = g_strdup_printf("it is on %s:%u", address, own->host_port);
        append_part(text, part);
    }
    return g_strdup(text->str);
}

/* Whether the leg decides the forward's state: the localhost legs, or the distro's own when it is
 * the only one. */
static bool is_main(const BerthForward *forward, guint kind)
{
    bool others =
        forward->legs[BERTH_LEG_V4].family != 0 || forward->legs[BERTH_LEG_V6].family != 0;
    return forward->legs[kind].family != 0 && (kind != BERTH_LEG_OWN || !others);
}

void berth_port_entry_summarise(BerthPortEntry *entry)
{
    BerthForward *forward = entry->forward;
    bool open = false, waiting = false;
    if (forward->state == BERTH_FORWARD_IGNORED)
        return;
    for (guint i = 0; i < BERTH_LEGS; i++) {
        if (!is_main(forward, i))
            continue;
        open = open || forward->legs[i].state == BERTH_FORWARD_OPEN;
        waiting = waiting || forward->legs[i].state == BERTH_FORWARD_WANTED;
    }
    /* Do not report a partial state: wait for both families. */
    if (waiting && open && forward->state != BERTH_FORWARD_OPEN)
        open = false;
    forward->state = open      ? BERTH_FORWARD_OPEN
                     : waiting ? BERTH_FORWARD_WANTED
                               : BERTH_FORWARD_BLOCKED;
    g_free(forward->reason);
    forward->reason = open ? reason_of_open(entry) : waiting ? NULL : reason_of_blocked(entry);
}

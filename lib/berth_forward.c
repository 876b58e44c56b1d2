/* SPDX-License-Identifier: MIT
 *
 * The public functions about forwards of ports, over lib/lifecycle.
 */
#include "berth_forward.h"

#include "lifecycle/forwards.h"
#include "lifecycle/handle.h"

void berth_forward_rule_free(BerthForwardRule *rule)
{
    if (rule == NULL)
        return;
    g_free(rule->distro);
    g_free(rule->rule);
    g_free(rule->protocol);
    g_free(rule->host_address);
    g_free(rule);
}

static BerthForwardRule *public_rule(const BerthDistro *distro, const BerthRule *rule)
{
    BerthForwardRule *made = g_new0(BerthForwardRule, 1);
    made->distro = g_strdup(distro->name);
    made->rule = berth_rule_format(rule);
    made->protocol = g_strdup(berth_protocol_word(rule->protocol));
    if (rule->family != 0)
        made->host_address = berth_rule_address_text(rule->family, rule->address);
    made->host_port = rule->host_port;
    made->guest_port = rule->guest_port;
    return made;
}

GPtrArray *berth_forward_list(Berth *berth, const char *name, GError **error)
{
    const char *const names[] = {name, NULL};
    g_autoptr(GPtrArray) distros = berth_handle_find_all(berth, name != NULL ? names : NULL, error);
    if (distros == NULL)
        return NULL;
    g_autoptr(GPtrArray) list =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_rule_free);
    for (guint i = 0; i < distros->len; i++) {
        const BerthDistro *distro = distros->pdata[i];
        g_autoptr(GArray) rules = berth_rule_parse_list(distro->forwards, error);
        if (rules == NULL)
            return NULL;
        for (guint j = 0; j < rules->len; j++)
            g_ptr_array_add(list, public_rule(distro, &g_array_index(rules, BerthRule, j)));
    }
    return g_steal_pointer(&list);
}

bool berth_forward_add(Berth *berth, const char *name, const char *rule, char **ret_notice,
                       GError **error)
{
    return berth_forwards_add(berth, name, rule, ret_notice, error);
}

bool berth_forward_remove(Berth *berth, const char *name, const char *rule, GError **error)
{
    return berth_forwards_remove(berth, name, rule, error);
}

/* SPDX-License-Identifier: MIT */
#include "forwards.h"

#include "reach.h"

#include "base/fd.h"
#include "instance/client/runtime.h"
#include "instance/control/hello.h"

/* Make the keeper of @distro, if it runs, apply the registry's forwards. */
static bool apply_rule(Berth *berth, const BerthDistro *distro, const BerthRule *rule, bool wanted,
                       GError **error)
{
    if (berth_handle_runtime(berth, error) == NULL)
        return false;
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = berth_reach_connect(berth, distro, &problem);
    if (fd >= 0)
        berth_reach_limit_waiting(fd, BERTH_REACH_ANSWER_SEC);
    if ((fd >= 0 && berth_request_set_rule(fd, rule, wanted, &problem)) ||
        berth_runtime_is_gone(problem))
        return true;
    berth_hello_name_distro(&problem, distro->name);
    g_propagate_prefixed_error(error, g_steal_pointer(&problem),
                               "saved, but not applied to the running distro: ");
    return false;
}

/* Find the forward of @rule in @forwards once its state is final, or NULL. */
static const BerthForward *find_decided(const GPtrArray *forwards, const BerthRule *rule)
{
    for (guint i = 0; i < forwards->len; i++) {
        const BerthForward *forward = forwards->pdata[i];
        if (berth_rule_equal(&forward->rule, rule))
            return forward->state != BERTH_FORWARD_WANTED ? forward : NULL;
    }
    return NULL;
}

/* Wait until the state of a running distro's forward is final. Returns why it is not open as
 * requested, or NULL. */
static char *wait_for_reason(Berth *berth, const BerthDistro *distro, const BerthRule *rule)
{
    g_auto(BerthChannel) channel = {.fd = berth_reach_connect(berth, distro, NULL)};
    berth_autofd int fd = channel.fd;
    g_autoptr(GPtrArray) partial = NULL;
    bool ended = false;
    if (fd < 0)
        return NULL;
    berth_reach_limit_waiting(fd, BERTH_REACH_ANSWER_SEC);
    if (!berth_request_watch(&channel, NULL))
        return NULL;
    while (!ended && berth_channel_fill(&channel, NULL)) {
        g_autoptr(GPtrArray) list = berth_request_watched(&channel, &partial, &ended, NULL);
        const BerthForward *forward = list != NULL ? find_decided(list, rule) : NULL;
        if (forward != NULL)
            return g_strdup(forward->reason);
    }
    return NULL;
}

bool berth_forwards_add(Berth *berth, const char *name, const char *text, char **ret_notice,
                        GError **error)
{
    BerthRule rule;
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    if (distro == NULL || !berth_rule_parse(text, &rule, error) ||
        !berth_registry_add_forward(berth->registry, distro, &rule, error) ||
        !apply_rule(berth, distro, &rule, true, error))
        return false;
    *ret_notice = wait_for_reason(berth, distro, &rule);
    return true;
}

bool berth_forwards_remove(Berth *berth, const char *name, const char *text, GError **error)
{
    BerthRule rule;
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    return distro != NULL && berth_rule_parse(text, &rule, error) &&
           berth_registry_remove_forward(berth->registry, distro, &rule, error) &&
           apply_rule(berth, distro, &rule, false, error);
}

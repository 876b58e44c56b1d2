/* SPDX-License-Identifier: MIT */
#include "action.h"

#include <string.h>

static const Action *find(const Action *actions, const char *word)
{
    while (actions->word != NULL && strcmp(actions->word, word) != 0)
        actions++;
    return actions->word != NULL ? actions : NULL;
}

/* Return why the arguments do not suit @action, or NULL. */
static char *find_fault(const Action *action, const Invocation *invocation)
{
    int count = invocation->n_arguments;
    if (action->rejected_option != NULL && invocation_flag(invocation, action->rejected_option))
        return g_strdup_printf("unknown option --%s", action->rejected_option);
    if (count < action->min_arguments)
        return g_strdup("an argument is missing");
    if (action->max_arguments >= 0 && count > action->max_arguments)
        return g_strdup("too many arguments");
    return NULL;
}

int action_run(const Action *actions, const char *usage, Invocation *invocation, GError **error)
{
    const char *word = invocation_first(invocation);
    const Action *action = find(actions, word);
    if (action == NULL) {
        g_autofree char *shown = g_strescape(word, NULL);
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", usage,
                        "unknown subcommand \"%.80s\"", shown);
        return -1;
    }
    g_autofree char *fault = find_fault(action, invocation);
    if (fault == NULL)
        return action->run(invocation, error);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments", usage, "%s: %s", word, fault);
    return -1;
}

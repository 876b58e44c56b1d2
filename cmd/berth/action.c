/* SPDX-License-Identifier: MIT */
#include "action.h"

#include "words/nearest.h"

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

static void set_unknown(GError **error, const Action *actions, const char *usage,
                        const Invocation *invocation, const char *word)
{
    Nearest nearest = {.word = word};
    for (; actions->word != NULL; actions++)
        nearest_offer(&nearest, actions->word);
    g_autofree char *hint = nearest.closest != NULL
                                ? g_strdup_printf("did you mean \"berth %s %s\"?",
                                                  invocation->command->name, nearest.closest)
                                : g_strdup(usage);
    g_autofree char *shown = g_strescape(word, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", hint, "unknown subcommand \"%.80s\"",
                    shown);
}

int action_run(const Action *actions, const char *usage, Invocation *invocation, GError **error)
{
    const char *word = invocation_first(invocation);
    const Action *action = find(actions, word);
    if (action == NULL) {
        set_unknown(error, actions, usage, invocation, word);
        return -1;
    }
    g_autofree char *fault = find_fault(action, invocation);
    if (fault == NULL)
        return action->run(invocation, error);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments", usage, "%s: %s", word, fault);
    return -1;
}

/* SPDX-License-Identifier: MIT */
#include "listening.h"

#include <arpa/inet.h>
#include <string.h>

static char *cut(char *text, char at)
{
    char *found = strrchr(text, at);
    if (found == NULL)
        return NULL;
    *found = '\0';
    return found + 1;
}

static BerthListener *parse(char *word)
{
    BerthListener *listener = g_new0(BerthListener, 1);
    const char *protocol = cut(word, '/');
    const char *relay = cut(word, '~');
    const char *port = cut(word, ':');
    if (word[0] == '[') {
        word++;
        word[strlen(word) - 1] = '\0';
    }
    g_assert_nonnull(port);
    listener->family = strchr(word, ':') != NULL ? 6 : 4;
    g_assert_cmpint(inet_pton(listener->family == 6 ? AF_INET6 : AF_INET, word, listener->address),
                    ==, 1);
    listener->protocol = protocol != NULL ? BERTH_UDP : BERTH_TCP;
    listener->port = (guint16)g_ascii_strtoull(port, NULL, 10);
    listener->relay = relay != NULL ? (guint16)g_ascii_strtoull(relay, NULL, 10) : 0;
    listener->owner = g_strdup("server");
    return listener;
}

static void add(GPtrArray *listeners, const char *address, const char *rest)
{
    g_autofree char *word = g_strconcat(address, rest, NULL);
    g_ptr_array_add(listeners, parse(word));
}

GPtrArray *listening(const char *text)
{
    GPtrArray *listeners = g_ptr_array_new_with_free_func((GDestroyNotify)berth_listener_free);
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    for (char **word = words; *word != NULL; word++) {
        if (**word == '*') {
            add(listeners, "[::]", *word + 1);
            add(listeners, "0.0.0.0", *word + 1);
        } else if (**word != '\0') {
            add(listeners, *word, "");
        }
    }
    return listeners;
}

BerthForwardPolicy *listening_policy(const char *rules)
{
    static const guint8 prefix[16] = {0xfd, 1, 2, 3, 4, 5};
    BerthForwardPolicy *policy = berth_forward_policy_new();
    policy->automatic = true;
    policy->slot = 7;
    memcpy(policy->prefix, prefix, sizeof(prefix));
    g_array_unref(policy->rules);
    policy->rules = berth_rule_parse_list(rules, NULL);
    g_assert_nonnull(policy->rules);
    return policy;
}

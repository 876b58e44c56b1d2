/* SPDX-License-Identifier: MIT */
#include "challenge.h"

#include <string.h>

#define SCHEME "Bearer"
#define BLANKS " \t"

void berth_fetch_challenge_clear(BerthFetchChallenge *challenge)
{
    g_clear_pointer(&challenge->realm, g_free);
    g_clear_pointer(&challenge->service, g_free);
}

/* A word or a quoted text at @*at, which moves behind it; NULL if there is none. */
static char *take_value(const char **at)
{
    if (**at != '"') {
        gsize length = strcspn(*at, ", \t\"");
        *at += length;
        return length > 0 ? g_strndup(*at - length, length) : NULL;
    }
    GString *text = g_string_new(NULL);
    for (++*at; **at != '\0' && **at != '"'; ++*at) {
        if (**at == '\\' && (*at)[1] != '\0')
            ++*at;
        g_string_append_c(text, **at);
    }
    if (**at == '"')
        ++*at;
    return g_string_free(text, FALSE);
}

static void keep(BerthFetchChallenge *challenge, const char *name, char *value)
{
    char **place = g_ascii_strcasecmp(name, "realm") == 0     ? &challenge->realm
                   : g_ascii_strcasecmp(name, "service") == 0 ? &challenge->service
                                                              : NULL;
    if (place != NULL && *place == NULL)
        *place = value;
    else
        g_free(value);
}

/* The parameters "NAME=VALUE, ..." of one scheme; the next scheme is a word without "=". */
static const char *take_parameters(const char *at, BerthFetchChallenge *challenge)
{
    for (;;) {
        at += strspn(at, BLANKS ",");
        gsize length = strcspn(at, "=, \t\"");
        if (length == 0 || at[length] != '=')
            return at;
        g_autofree char *name = g_strndup(at, length);
        at += length + 1;
        char *value = take_value(&at);
        if (value == NULL)
            return at;
        keep(challenge, name, value);
    }
}

bool berth_fetch_challenge_parse(const char *value, BerthFetchChallenge *ret_challenge)
{
    for (const char *at = value; *at != '\0';) {
        at += strspn(at, BLANKS ",");
        gsize length = strcspn(at, BLANKS ",");
        bool bearer =
            length == strlen(SCHEME) && g_ascii_strncasecmp(at, SCHEME, strlen(SCHEME)) == 0;
        g_auto(BerthFetchChallenge) challenge = {0};
        at = take_parameters(at + length, &challenge);
        if (!bearer || challenge.realm == NULL)
            continue;
        *ret_challenge = challenge;
        challenge = (BerthFetchChallenge){0};
        return true;
    }
    return false;
}

char *berth_fetch_challenge_url(const BerthFetchChallenge *challenge, const char *repository)
{
    GString *url = g_string_new(challenge->realm);
    g_string_append_c(url, strchr(challenge->realm, '?') != NULL ? '&' : '?');
    if (challenge->service != NULL) {
        g_string_append(url, "service=");
        g_string_append_uri_escaped(url, challenge->service, NULL, FALSE);
        g_string_append_c(url, '&');
    }
    g_string_append_printf(url, "scope=repository:%s:pull", repository);
    return g_string_free(url, FALSE);
}

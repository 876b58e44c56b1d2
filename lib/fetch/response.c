/* SPDX-License-Identifier: MIT */
#include "response.h"

#include <string.h>

void berth_fetch_response_clear(BerthFetchResponse *response)
{
    g_free(response->etag);
    g_free(response->modified);
    g_free(response->challenge);
    *response = (BerthFetchResponse){0};
}

/* A weak one ("W/...") says nothing about bytes. */
static void read_etag(BerthFetchResponse *response, const char *value)
{
    gsize length = strlen(value);
    g_free(response->etag);
    bool strong = length >= 2 && value[0] == '"' && value[length - 1] == '"';
    response->etag = strong ? g_strdup(value) : NULL;
}

static void read_modified(BerthFetchResponse *response, const char *value)
{
    g_free(response->modified);
    response->modified = g_strdup(value);
}

static void read_challenge(BerthFetchResponse *response, const char *value)
{
    bool bearer = g_ascii_strncasecmp(value, "Bearer ", strlen("Bearer ")) == 0;
    if (response->challenge != NULL && !bearer)
        return;
    g_free(response->challenge);
    response->challenge = g_strdup(value);
}

/* "bytes FIRST-LAST/TOTAL"; TOTAL may be "*". */
static void read_range(BerthFetchResponse *response, const char *value)
{
    const char *const unit = "bytes ";
    g_auto(GStrv) parts =
        g_str_has_prefix(value, unit) ? g_strsplit_set(value + strlen(unit), "-/", -1) : NULL;
    response->has_range =
        parts != NULL && g_strv_length(parts) == 3 &&
        g_ascii_string_to_unsigned(parts[0], 10, 0, G_MAXUINT64, &response->first, NULL);
    if (!response->has_range ||
        !g_ascii_string_to_unsigned(parts[2], 10, 0, G_MAXUINT64, &response->total, NULL))
        response->total = 0;
}

void berth_fetch_response_feed(BerthFetchResponse *response, const char *line, gsize size)
{
    static const struct {
        const char *name;
        void (*read)(BerthFetchResponse *response, const char *value);
    } headers[] = {{"etag", read_etag},
                   {"last-modified", read_modified},
                   {"content-range", read_range},
                   {"www-authenticate", read_challenge}};

    g_autofree char *text = g_strndup(line, size);
    if (g_str_has_prefix(text, "HTTP/")) {
        berth_fetch_response_clear(response);
        return;
    }
    char *colon = strchr(text, ':');
    if (colon == NULL)
        return;
    *colon = '\0';
    for (gsize i = 0; i < G_N_ELEMENTS(headers); i++)
        if (g_ascii_strcasecmp(g_strstrip(text), headers[i].name) == 0)
            headers[i].read(response, g_strstrip(colon + 1));
}

const char *berth_fetch_response_version(const BerthFetchResponse *response)
{
    return response->etag != NULL ? response->etag : response->modified;
}

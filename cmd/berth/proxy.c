/* SPDX-License-Identifier: MIT */
#include "proxy.h"

#include <string.h>

#define HOST_IN_GUEST "host.berth.internal"

const char *const proxy_names[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                   "HTTPS_PROXY", "ftp_proxy",  "FTP_PROXY",
                                   "all_proxy",   "ALL_PROXY",  NULL};

/* Default ports by scheme; most programs assume HTTP if the value has no scheme. */
static const struct {
    const char *scheme;
    guint16 port;
} defaults[] = {{"https:", 443}, {"socks", 1080}, {"http:", 80}, {"", 1080}};

static guint16 default_port(const char *value)
{
    gsize i = 0;
    while (g_ascii_strncasecmp(value, defaults[i].scheme, strlen(defaults[i].scheme)) != 0)
        i++;
    return defaults[i].port;
}

static gboolean is_loopback(const char *host, gsize size)
{
    g_autofree char *name = g_ascii_strdown(host, (gssize)size);
    return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
           strcmp(name, "::1") == 0 || g_str_has_suffix(name, ".localhost") ||
           (g_str_has_prefix(name, "127.") && g_hostname_is_ip_address(name));
}

/* Skip the scheme and credentials. */
static const char *skip_to_host(const char *value)
{
    const char *scheme = strstr(value, "://");
    const char *authority = scheme != NULL ? scheme + 3 : value;
    gsize size = strcspn(authority, "/?#");
    const char *at = g_strrstr_len(authority, (gssize)size, "@");
    return at != NULL ? at + 1 : authority;
}

char *proxy_for_guest(const char *value, guint16 *ret_port)
{
    const char *host = skip_to_host(value);
    gsize size = *host == '[' ? strcspn(host, "]/") + 1 : strcspn(host, ":/?#");
    *ret_port = 0;
    if (size > strlen(host) || !is_loopback(host, size))
        return g_strdup(value);

    const char *rest = host + size;
    guint64 port = default_port(value);
    if (*rest == ':')
        port = g_ascii_strtoull(rest + 1, NULL, 10);
    if (port == 0 || port > G_MAXUINT16)
        return g_strdup(value);
    *ret_port = (guint16)port;
    return g_strdup_printf("%.*s" HOST_IN_GUEST "%s", (int)(host - value), value, rest);
}

/* SPDX-License-Identifier: MIT */
#include "hosts.h"

#include "base/text.h"
#include "resolver.h"

#include <string.h>

#define PROXY_PORT "1080" /* libcurl's default for a proxy without a port */

/* curl_free'd strings need a type of their own to be freed at the end of a scope. */
typedef char CurlText;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CurlText, curl_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CURLU, curl_url_cleanup)

static struct curl_slist *add_host(struct curl_slist *list, int resolver, const char *url,
                                   const char *default_port)
{
    g_autoptr(CURLU) parts = curl_url();
    g_autoptr(CurlText) host = NULL;
    g_autoptr(CurlText) port = NULL;
    if (curl_url_set(parts, CURLUPART_URL, url, CURLU_DEFAULT_SCHEME) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK || host[0] == '[')
        return list;
    if (curl_url_get(parts, CURLUPART_PORT, &port, default_port == NULL ? CURLU_DEFAULT_PORT : 0) !=
            CURLUE_OK &&
        default_port == NULL)
        return list;
    g_autofree char *addresses = berth_fetch_resolver_ask(resolver, host);
    if (addresses == NULL)
        return list;
    g_autofree char *entry =
        g_strdup_printf("%s:%s:%s", host, port != NULL ? port : default_port, addresses);
    return curl_slist_append(list, entry);
}

struct curl_slist *berth_fetch_hosts_of(int resolver, const char *url)
{
    static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                          "ALL_PROXY"};
    struct curl_slist *list = add_host(NULL, resolver, url, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(proxies); i++) {
        const char *proxy = g_getenv(proxies[i]);
        if (proxy != NULL && proxy[0] != '\0')
            list = add_host(list, resolver, proxy, PROXY_PORT);
    }
    return list;
}

/* "https://host:443" of @url; NULL if it is malformed. Free with g_free. */
static char *origin_of(const char *url)
{
    g_autoptr(CURLU) parts = curl_url();
    g_autoptr(CurlText) scheme = NULL;
    g_autoptr(CurlText) host = NULL;
    g_autoptr(CurlText) port = NULL;
    if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
        return NULL;
    g_autofree char *text = g_strdup_printf("%s://%s:%s", scheme, host, port);
    return g_ascii_strdown(text, -1);
}

bool berth_fetch_hosts_are_same(const char *a, const char *b)
{
    g_autofree char *first = origin_of(a);
    g_autofree char *second = origin_of(b);
    return first != NULL && g_strcmp0(first, second) == 0;
}

bool berth_fetch_hosts_is_secure(const char *url)
{
    g_autofree char *origin = origin_of(url);
    if (origin == NULL)
        return false;
    if (g_str_has_prefix(origin, "https://"))
        return true;
    if (g_str_has_prefix(origin, "http://localhost:") || g_str_has_prefix(origin, "http://[::1]:"))
        return true;
    g_auto(GStrv) parts = g_strsplit(origin, ":", 3);
    const char *host = g_str_has_prefix(origin, "http://127.") ? parts[1] + strlen("//") : NULL;
    return host != NULL && g_hostname_is_ip_address(host);
}

char *berth_fetch_hosts_show(const char *url)
{
    g_autoptr(CURLU) parts = curl_url();
    g_autoptr(CurlText) shown = NULL;
    if (curl_url_set(parts, CURLUPART_URL, url, CURLU_DEFAULT_SCHEME) == CURLUE_OK) {
        curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0);
        curl_url_set(parts, CURLUPART_QUERY, NULL, 0);
        curl_url_get(parts, CURLUPART_URL, &shown, 0);
    }
    return berth_text_escape(shown != NULL ? shown : url);
}

/* SPDX-License-Identifier: MIT
 *
 * hosts — the addresses of an URL's host and of the environment's proxies, for libcurl, which
 * cannot look them up in the sandbox.
 */
#pragma once

#include <curl/curl.h>
#include <glib.h>

G_BEGIN_DECLS

/* Look up the hosts of a transfer of @url with @resolver (resolver.h), as CURLOPT_RESOLVE takes
 * them. Hosts without an address are left out. Free with curl_slist_free_all. */
struct curl_slist *berth_fetch_hosts_of(int resolver, const char *url);

/* @url for a message, without its password and query. Free with g_free. */
char *berth_fetch_hosts_show(const char *url);

G_END_DECLS

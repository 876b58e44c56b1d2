/* SPDX-License-Identifier: MIT
 *
 * hosts — the addresses of an URL's host and of the environment's proxies, for libcurl, which
 * cannot look them up in the sandbox.
 */
#pragma once

#include <curl/curl.h>
#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Look up the hosts of a transfer of @url with @resolver (resolver.h), as CURLOPT_RESOLVE takes
 * them. Hosts without an address are left out. Free with curl_slist_free_all. */
struct curl_slist *berth_fetch_hosts_of(int resolver, const char *url);

/* Whether both URLs have the same scheme, host and port. */
bool berth_fetch_hosts_are_same(const char *a, const char *b);

/* Whether a connection to @url is secure: by TLS, or not beyond this machine ("localhost", or a
 * loopback address as such). */
bool berth_fetch_hosts_is_secure(const char *url);

/* @url for a message, without its password and query. Free with g_free. */
char *berth_fetch_hosts_show(const char *url);

G_END_DECLS

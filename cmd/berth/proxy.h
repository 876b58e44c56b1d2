/* SPDX-License-Identifier: MIT
 *
 * proxy — this host's proxies, as a guest can use them. Pure.
 */
#pragma once

#include <glib.h>

/* NULL-terminated: http_proxy and its kin. */
extern const char *const proxy_names[];

/* @value, of one of those, for a guest. A proxy on this host's loopback gets the name the host has
 * in the guest, and its port is put into *ret_port, which is to be allowed; else *ret_port is 0.
 * Forms: [SCHEME://][USER[:PASSWORD]@]HOST[:PORT][/...]. Free with g_free. */
char *proxy_for_guest(const char *value, guint16 *ret_port);

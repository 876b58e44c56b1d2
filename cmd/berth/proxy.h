/* SPDX-License-Identifier: MIT
 *
 * proxy — translates this host's proxy variables for a guest. Pure.
 */
#pragma once

#include <glib.h>

/* NULL-terminated: http_proxy and its variants. */
extern const char *const proxy_names[];

/* Translate @value, the value of such a variable. A proxy on the host's loopback gets the name by
 * which the guest reaches the host, and *ret_port is its port, which the caller must allow;
 * otherwise *ret_port is 0. Forms: [SCHEME://][USER[:PASSWORD]@]HOST[:PORT][/...]. Free with
 * g_free. */
char *proxy_for_guest(const char *value, guint16 *ret_port);

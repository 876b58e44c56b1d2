/* SPDX-License-Identifier: MIT
 *
 * listening — builds listeners and policies from text.
 */
#pragma once

#include "model/forward.h"

/* "127.0.0.1:80 [::]:8080~40000 0.0.0.0:53/udp": listening addresses, ~ their proxy's port.
 * BerthListener*, free with g_ptr_array_unref. */
GPtrArray *listening(const char *text);

/* A policy that forwards listeners, with @rules (or NULL), for the distro in slot 7, whose network
 * is fd01:203:405::/64. */
BerthForwardPolicy *listening_policy(const char *rules);

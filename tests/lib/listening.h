/* SPDX-License-Identifier: MIT
 *
 * listening — listeners and policies for tests, made of text.
 */
#pragma once

#include "model/forward.h"

/* "127.0.0.1:80 [::]:8080~40000 0.0.0.0:53/udp": where they listen, ~ their relay. BerthListener*,
 * free with g_ptr_array_unref. */
GPtrArray *listening(const char *text);

/* A policy that forwards what listens, with the rules of @rules (or NULL), for distro 7 whose
 * network is fd01:203:405::/64. */
BerthForwardPolicy *listening_policy(const char *rules);

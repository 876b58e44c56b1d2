/* SPDX-License-Identifier: MIT
 *
 * zone — the host's time zone, by name.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_ZONE_LINK "/etc/localtime"

/* The Olson name that @link leads to ("Europe/Berlin"), or "". Free with g_free. */
char *berth_zone_name(const char *link);

G_END_DECLS

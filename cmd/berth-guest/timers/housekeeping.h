/* SPDX-License-Identifier: MIT
 *
 * housekeeping — a distro's own upkeep, which wakes no suspended distro: it has nothing to rotate,
 * index or update then, and what is due at once when something else wakes it.
 */
#pragma once

#include <stdbool.h>

/* A unit of systemd's, such as "man-db.timer". */
bool housekeeping_is_timer(const char *unit);

/* A file in cron.d, or one in cron.daily and its like. */
bool housekeeping_is_cron(const char *name);
